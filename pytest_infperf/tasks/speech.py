"""Speech recognition: a waveform in, words out, by a network trained with CTC.

Utterances are strings of recordings of one speaker, put together with a seed: pauses of 20 to 200
ms between them, and a little noise.
"""

from __future__ import annotations

import json
import re
import wave
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import ArrayCodec, Decoding, Metric, Samples, Task

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

Recording = tuple[int, Any]
"""A digit, and its waveform: float32 from -1 to 1, shape [samples]."""

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_RECORDING = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_\d+\.wav")
_PAUSE_S = (0.02, 0.2)
_NOISE = (0.0005, 0.002)


@dataclass(frozen=True)
class SpeechRecognition(Task):
    """`recordings` is a folder of `{digit}_{speaker}_{index}.wav`, mono and 16 bits, as the Free
    Spoken Digit Dataset has them."""

    _: KW_ONLY
    recordings: str
    utterances: int = 300
    digits: tuple[int, int] = (3, 7)
    """The least and the most of an utterance."""
    seed: int = 1234
    rate: int = 8000
    """Samples a second of the recordings."""
    metrics: Sequence[Metric | str] = ("wer", "cer")
    sample_size: int = 120

    @property
    def decoding(self) -> Decoding:
        return {"search": "greedy"}

    def samples(self, folder: Path) -> Samples:
        import numpy as np

        speakers = recordings_by_speaker(folder / self.recordings, self.rate)
        rng = np.random.default_rng(self.seed)
        names = sorted(speakers)
        low, high = self.digits
        utterances = [
            _make_utterance(
                speakers[names[i % len(names)]],
                int(rng.integers(low, high + 1)),
                self.rate,
                rng,
            )
            for i in range(self.utterances)
        ]
        waves, texts = zip(*utterances, strict=True)
        return Samples(list(waves), list(texts))

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """`length` seconds of the utterances one after the other."""
        import numpy as np

        parts: list[Any] = []
        while sum(map(len, parts)) < length * self.rate:
            parts.append(inputs[number % len(inputs)])
            number += 1
        return np.concatenate(parts)[: length * self.rate]

    def duration_s(self, sample: Any) -> float | None:
        return len(sample) / self.rate

    def codec(self, model: Path) -> ArrayCodec:
        return SpectrogramCodec(model)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import SpeechToText

        return SpeechToText(self.rate)


def recordings_by_speaker(folder: Path, rate: int) -> dict[str, list[Recording]]:
    """By speaker, in the order of the files' names."""
    speakers: dict[str, list[Recording]] = {}
    for path in sorted(folder.glob("*.wav")):
        if found := _RECORDING.fullmatch(path.name):
            recording = int(found["digit"]), _read_waveform(path, rate)
            speakers.setdefault(found["speaker"], []).append(recording)
    if not speakers:
        raise UserError(f"{folder} has no recordings named DIGIT_SPEAKER_INDEX.wav")
    return speakers


def _read_waveform(path: Path, rate: int) -> Any:
    import numpy as np

    try:
        with wave.open(str(path)) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, rate):
                raise UserError(f"{path} is not mono with 16 bits and {rate} samples a second")
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return samples.astype(np.float32) / 32768
    except (OSError, EOFError, wave.Error) as error:
        raise UserError(f"cannot read the recording {path}: {error!r}") from error


def _make_utterance(
    recordings: Sequence[Recording], count: int, rate: int, rng: Any
) -> tuple[Any, str]:
    import numpy as np

    words, parts = [], []
    for _ in range(count):
        digit, samples = recordings[rng.integers(len(recordings))]
        words.append(DIGITS[digit])
        parts += [samples, np.zeros(int(rng.uniform(*_PAUSE_S) * rate), np.float32)]
    joined = np.concatenate(parts[:-1])
    noise = rng.normal(0, rng.uniform(*_NOISE), len(joined))
    return (joined + noise.astype(np.float32)).astype(np.float32), " ".join(words)


class SpectrogramCodec:
    """Log spectrograms, and the best path through CTC's outputs (Graves et al. 2006).

    Features are float32, shape [batch, bins, frames], `log1p(50 * |STFT|)` of a centred Hann
    window, normalised over each query, as the network was trained; results are log probabilities,
    shape [batch, steps, letters].
    """

    axes: Mapping[str, Sequence[str | int]]

    def __init__(self, model: Path) -> None:
        import numpy as np

        try:
            config = json.loads((model / "config.json").read_text("utf-8"))
            self._window, self._hop = int(config["n_fft"]), int(config["hop"])
            self._alphabet, self._blank = str(config["alphabet"]), int(config["blank"])
            self.axes = {"spectrogram": ("batch", int(config["bins"]), "frames")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{model / 'config.json'} must have n_fft, hop, bins, alphabet and blank: {error!r}"
            ) from error
        phase = 2 * np.pi * np.arange(self._window) / self._window
        self._hann = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        """Sized inputs have their length already."""
        import numpy as np

        longest = max(map(len, inputs))
        waves = np.stack([np.pad(samples, (0, longest - len(samples))) for samples in inputs])
        half = self._window // 2
        padded = np.pad(waves, ((0, 0), (half, half)), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._window, axis=1)
        spectrum = np.abs(np.fft.rfft(frames[:, :: self._hop] * self._hann, axis=-1))
        values = np.log1p(50 * spectrum).transpose(0, 2, 1)
        mean = values.mean(axis=(1, 2), keepdims=True)
        deviation = values.std(axis=(1, 2), keepdims=True, ddof=1)
        return {
            "spectrogram": ((values - mean) / (deviation + 1e-5)).astype(np.float32),
            "frames": [len(samples) // self._hop + 1 for samples in inputs],
        }

    def decode(self, results: Any, features: Any) -> list[Any]:
        best = results.argmax(axis=-1)
        steps = [(frames + 1) // 2 for frames in features["frames"]]
        return [self._text(path[:count].tolist()) for path, count in zip(best, steps, strict=True)]

    def _text(self, path: Sequence[int]) -> str:
        letters = [
            self._alphabet[letter]
            for i, letter in enumerate(path)
            if letter != self._blank and (i == 0 or letter != path[i - 1])
        ]
        return "".join(letters)
