"""Train DeepSpeech2 on strings of one to seven spoken digits, with noise and changes of speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pytest_infperf.backends.torch_module import import_modeling
from pytest_infperf.tasks.spectrogram import SpectrogramCodec
from recipes.training import ROOT, Budget, arguments, config_of, fit, write_folder
from suites.speech.utterances import DIGITS, RATE, Recording, recordings_by_speaker

SHIPPED = ROOT / "suites" / "speech" / "models" / "deepspeech2-digits"
DATA = (
    "the recordings of the Free Spoken Digit Dataset as wav files {digit}_{speaker}_{index}.wav, "
    "without index 0 to 4, the test set"
)
_BATCH = 48
MOST_DIGITS = 7


def utterance(recordings: Sequence[Recording], count: int, rng: Any) -> tuple[Any, str]:
    """Join random recordings to one sound; return it and its words.

    Speed, loudness, pauses and noise are random.
    """
    words, parts = [], []
    for _ in range(count):
        digit, samples = recordings[rng.integers(len(recordings))]
        words.append(DIGITS[digit])
        length = int(len(samples) / rng.uniform(0.88, 1.12))
        places = np.linspace(0, len(samples) - 1, length)
        stretched = np.interp(places, np.arange(len(samples)), samples)
        parts += [stretched * rng.uniform(0.5, 1.5), np.zeros(int(rng.uniform(0.02, 0.2) * RATE))]
    joined = np.concatenate(parts[:-1])
    noise = rng.normal(0, rng.uniform(0.0005, 0.01), len(joined))
    return (joined + noise).astype(np.float32), " ".join(words)


def losses(
    model: Callable[[Tensor], Tensor],
    codec: SpectrogramCodec,
    speakers: dict[str, list[Recording]],
    alphabet: str,
    *,
    seed: int,
    device: str,
    batch: int,
    digits: int = 1,
) -> Iterator[Callable[[], Tensor]]:
    """Yield the loss of each batch: at most `digits` in an utterance, one more every 300 steps."""
    rng = np.random.default_rng(seed)
    names = sorted(speakers)
    ctc = nn.CTCLoss(zero_infinity=True)
    letters = {letter: i for i, letter in enumerate(alphabet)}
    step = 0
    while True:
        most = min(MOST_DIGITS, digits + step // 300)
        count = int(rng.integers(1, most + 1))
        utterances = [
            utterance(speakers[names[rng.integers(len(names))]], count, rng) for _ in range(batch)
        ]
        features = codec.encode([samples for samples, _ in utterances])
        spectrogram = torch.from_numpy(features["spectrogram"]).to(device)
        _mask_bins(spectrogram, rng)
        steps = torch.tensor([(frames + 1) // 2 for frames in features["frames"]])
        target = torch.tensor([letters[c] for _, text in utterances for c in text], device=device)
        lengths = torch.tensor([len(text) for _, text in utterances])

        def loss(
            x: Tensor = spectrogram, y: Tensor = target, n: Tensor = steps, m: Tensor = lengths
        ) -> Tensor:
            probabilities = model(x).float().transpose(0, 1)
            value: Tensor = ctc(probabilities, y, n.clamp(max=len(probabilities)), m)
            return value

        yield loss
        step += 1


def _mask_bins(spectrogram: Tensor, rng: Any) -> None:
    """Set two random bands of frequencies to zero (SpecAugment, Park et al. 2019)."""
    for _ in range(2):
        start = int(rng.integers(0, 71))
        spectrogram[:, start : start + int(rng.integers(0, 11))] = 0


def train(
    data: Path, out: Path, budget: Budget, device: str, *, seed: int = 0, batch: int = _BATCH
) -> list[float]:
    code, config = import_modeling(SHIPPED), config_of(SHIPPED)
    assert code
    model = code.DeepSpeech2(config, dropout=0.2).to(device)
    codec = SpectrogramCodec(SHIPPED)
    speakers = recordings_by_speaker(data)
    batches = losses(
        model, codec, speakers, config["alphabet"], seed=seed, device=device, batch=batch
    )
    history = fit(model, batches, budget, peak=1e-3, warm_up=200, name="deepspeech2-digits")
    write_folder(model, out / "deepspeech2-digits", SHIPPED, config)
    return history


def main() -> None:
    options = arguments(__doc__ or "", DATA, seconds=420)
    train(options.data, options.out, options.budget, options.device, seed=options.seed)


if __name__ == "__main__":
    main()
