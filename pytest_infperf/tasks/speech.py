"""Recognition of spoken digits by a network that is trained with CTC.

Utterances are joined from recordings of single digits by one speaker, with a seed: pauses of 20 to
200 ms between them, and some noise.
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
from pytest_infperf.repository import lfs
from pytest_infperf.suite.labels import listed
from pytest_infperf.suite.task import AnyMetric, ArrayCodec, Decoding, Samples, Task

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload

Recording = tuple[int, Any]
"""A digit and its waveform, float32 from -1 to 1, shape [samples]."""

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_RECORDING = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_\d+\.wav")
_PAUSE_S = (0.02, 0.2)
_NOISE = (0.0005, 0.002)


@dataclass(frozen=True)
class SpeechRecognition(Task):
    """Recognition of utterances of digits, joined from recordings of single digits.

    Model folders have a `modeling.py` and a `config.json` with `n_fft`, `hop`, `bins`, `alphabet`
    and `blank`. Outputs follow the best path through the outputs of CTC. The metrics "wer" and
    "cer" require the extra ``pytest-infperf[speech]``.

    Parameters
    ----------
    recordings : str
        Folder of files ``{digit}_{speaker}_{index}.wav``, mono with 16 bits, relative to the
        suite's folder. The Free Spoken Digit Dataset has this form.
    utterances : int, default 300
        Number of samples, at least 1.
    digits : tuple of (int, int), default (3, 7)
        Smallest and largest number of digits in an utterance, at least 1.
    seed : int, default 1234
        Seed of the choice of recordings, pauses and noise.
    rate : int, default 8000
        Sampling rate of the recordings, in hertz.
    metrics : sequence of Metric, CorpusMetric or str, default ("wer", "cer")
        Quality scores: word and character error rate.
    sample_size : int, default 120
        Utterances that are measured and scored, drawn with a seed; ``--infperf-full`` takes all.

    Raises
    ------
    UserError
        If `utterances` or `digits` leave no sample; if there are no recordings or one has another
        format (when the samples are read); if the model's `config.json` lacks a value (when the
        codec is opened); or if its `alphabet` lacks a letter of the digits (before it is built).

    References
    ----------
    Graves et al. 2006, "Connectionist Temporal Classification".
    Free Spoken Digit Dataset: https://github.com/Jakobovski/free-spoken-digit-dataset

    Examples
    --------
    >>> from pytest_infperf import SpeechRecognition
    >>> SpeechRecognition(recordings="data/fsdd-test", digits=(1, 1)).rate
    8000
    """

    _: KW_ONLY
    recordings: str
    utterances: int = 300
    digits: tuple[int, int] = (3, 7)
    seed: int = 1234
    rate: int = 8000
    metrics: Sequence[AnyMetric | str] = ("wer", "cer")
    sample_size: int = 120

    def __post_init__(self) -> None:
        low, high = self.digits
        if self.utterances < 1 or not 1 <= low <= high:
            raise UserError(
                f"SpeechRecognition(utterances={self.utterances}, digits={self.digits}) has no "
                "sample: utterances is at least 1, and digits are two numbers of at least 1 in "
                "ascending order"
            )

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
        """Join utterances and truncate them to `length` seconds."""
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

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that the model's alphabet has every letter of the references."""
        letters = {letter for text in samples.references for letter in text}
        if unknown := sorted(letters - {*codec.alphabet}):
            raise UserError(
                f"the model cannot write the references: they have the letters "
                f"{listed(sorted(letters))}, and the alphabet in its config.json is "
                f"{codec.alphabet!r}, without {listed(unknown)}"
            )

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import SpeechToText

        return SpeechToText(self.rate)


def recordings_by_speaker(folder: Path, rate: int) -> dict[str, list[Recording]]:
    """Return the recordings of each speaker, in the order of their file names.

    Raises UserError if the folder has none or one has another format.
    """
    speakers: dict[str, list[Recording]] = {}
    for path in sorted(folder.glob("*.wav")):
        if match := _RECORDING.fullmatch(path.name):
            recording = int(match["digit"]), _read_waveform(path, rate)
            speakers.setdefault(match["speaker"], []).append(recording)
    if not speakers:
        raise UserError(f"{folder} has no recordings named DIGIT_SPEAKER_INDEX.wav")
    return speakers


def _read_waveform(path: Path, rate: int) -> Any:
    import numpy as np

    try:
        with wave.open(str(path)) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, rate):
                raise UserError(f"{path} is not mono with 16 bits at {rate} Hz: convert it")
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return samples.astype(np.float32) / 32768
    except (OSError, EOFError, wave.Error) as error:
        reason = lfs.fetch_it(path) if lfs.is_pointer(path) else repr(error)
        raise UserError(f"cannot read the recording {path}: {reason}") from error


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
    """Codec from waveforms to log spectrograms, and from CTC's outputs to text.

    Features are float32, shape [batch, bins, frames]: `log1p(50 * |STFT|)` with a centred Hann
    window, normalised over each sample, as in the training of the network. Results are log
    probabilities, shape [batch, steps, letters], decoded by the best path (Graves et al. 2006).
    Raises UserError if config.json lacks a value.
    """

    axes: Mapping[str, Sequence[str | int]]

    def __init__(self, model: Path) -> None:
        import numpy as np

        try:
            config = json.loads((model / "config.json").read_text("utf-8"))
            self._window, self._hop = int(config["n_fft"]), int(config["hop"])
            self.alphabet, self._blank = str(config["alphabet"]), int(config["blank"])
            self.axes = {"spectrogram": ("batch", int(config["bins"]), "frames")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{model / 'config.json'} must have n_fft, hop, bins, alphabet and blank: {error!r}"
            ) from error
        phase = 2 * np.pi * np.arange(self._window) / self._window
        self._hann = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        """Compute the spectrograms of waveforms; `length` has no effect, as `sized` truncates."""
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
        import numpy as np

        # A NaN or an infinity is the largest result wherever there is one.
        best, finite = results.argmax(axis=-1), np.isfinite(results.max(axis=-1))
        steps = [(frames + 1) // 2 for frames in features["frames"]]
        return [
            self._text(path[:count].tolist()) if usable[:count].all() else None
            for path, usable, count in zip(best, finite, steps, strict=True)
        ]

    def _text(self, path: Sequence[int]) -> str:
        letters = [
            self.alphabet[letter]
            for i, letter in enumerate(path)
            if letter != self._blank and (i == 0 or letter != path[i - 1])
        ]
        return "".join(letters)
