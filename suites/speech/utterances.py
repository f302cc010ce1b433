"""Utterances of digits, joined from recordings of single digits by one speaker.

They are separated by pauses of 20 to 200 ms, and some noise is added. The recordings are from the
Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pytest_infperf import UserError

Recording = tuple[int, Any]
"""A digit and its waveform, float32 from -1 to 1, shape [samples]."""

DATA = Path(__file__).parent / "data" / "fsdd-test"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8000
"""Sampling rate of the recordings, in hertz."""
_COUNT = 300
_SEED = 1234
_FEWEST, _MOST = 3, 7
"""Number of digits in an utterance."""
_RECORDING = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_\d+\.wav")
_PAUSE_S = (0.02, 0.2)
_NOISE = (0.0005, 0.002)


def utterances() -> dict[str, list[Any]]:
    """Return the utterances of the suite: their sound with its rate, and their words."""
    speakers = recordings_by_speaker(DATA)
    rng = np.random.default_rng(_SEED)
    names = sorted(speakers)
    made = [
        _make_utterance(speakers[names[i % len(names)]], int(rng.integers(_FEWEST, _MOST + 1)), rng)
        for i in range(_COUNT)
    ]
    sounds, texts = zip(*made, strict=True)
    return {"audio": [(sound, RATE) for sound in sounds], "text": list(texts)}


def recordings_by_speaker(folder: Path) -> dict[str, list[Recording]]:
    """Return the recordings of each speaker, in the order of their file names.

    Raises UserError if the folder has none or one has another format.
    """
    speakers: dict[str, list[Recording]] = {}
    for path in sorted(folder.glob("*.wav")):
        if match := _RECORDING.fullmatch(path.name):
            recording = int(match["digit"]), _read_waveform(path)
            speakers.setdefault(match["speaker"], []).append(recording)
    if not speakers:
        raise UserError(f"{folder} has no recordings named DIGIT_SPEAKER_INDEX.wav")
    return speakers


def _read_waveform(path: Path) -> Any:
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE):
            raise UserError(f"{path} is not mono with 16 bits at {RATE} Hz: convert it")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.astype(np.float32) / 32768


def _make_utterance(recordings: Sequence[Recording], count: int, rng: Any) -> tuple[Any, str]:
    words, parts = [], []
    for _ in range(count):
        digit, samples = recordings[rng.integers(len(recordings))]
        words.append(DIGITS[digit])
        parts += [samples, np.zeros(int(rng.uniform(*_PAUSE_S) * RATE), np.float32)]
    joined = np.concatenate(parts[:-1])
    noise = rng.normal(0, rng.uniform(*_NOISE), len(joined))
    return (joined + noise.astype(np.float32)).astype(np.float32), " ".join(words)
