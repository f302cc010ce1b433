"""The utterances of the speech suite are digits, and are the same in every run."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from pytest_infperf import UserError
from suites.speech import utterances
from suites.speech.suite import suite


def record(path: Path, rate: int = 8000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.full(400, 1000, "<i2").tobytes())


def test_utterances_are_digits_and_the_same_ones_again() -> None:
    samples = suite.task.samples(suite.folder)
    counts = [len(text.split()) for text in samples.references]
    assert len(samples.inputs) == 300
    assert (min(counts), max(counts)) == (3, 7)
    assert {word for text in samples.references for word in text.split()} == {*utterances.DIGITS}
    assert samples.inputs[0].dtype == np.float32
    assert samples.inputs_digest() == suite.task.samples(suite.folder).inputs_digest()
    assert samples.inputs_digest().startswith("3dbc99ef4481397d")


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no recordings named DIGIT_SPEAKER_INDEX"):
        utterances.recordings_by_speaker(tmp_path)


def test_a_recording_of_another_rate_is_named(tmp_path: Path) -> None:
    record(tmp_path / "0_anna_0.wav", rate=16000)
    with pytest.raises(UserError, match=r"0_anna_0\.wav is not mono with 16 bits at 8000 Hz"):
        utterances.recordings_by_speaker(tmp_path)
