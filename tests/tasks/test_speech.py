"""Speech: utterances from recordings, spectrograms like torch's, and the best path of CTC."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf import Samples, SpeechRecognition, UserError
from pytest_infperf.tasks.speech import DIGITS, SpectrogramCodec

CONFIG = {"n_fft": 160, "hop": 80, "bins": 81, "alphabet": "_ abc", "blank": 0}


@pytest.fixture
def codec(tmp_path: Path) -> SpectrogramCodec:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return SpectrogramCodec(tmp_path)


def record(path: Path, samples: int, rate: int = 8000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.full(samples, 1000, "<i2").tobytes())


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for speaker in ("anna", "bert"):
        for digit in range(10):
            record(folder / f"{digit}_{speaker}_0.wav", 400 + 10 * digit)
    return folder


def test_the_spectrogram_equals_that_of_torch(codec: SpectrogramCodec) -> None:
    import torch

    samples = np.random.default_rng(0).normal(0, 0.1, 2345).astype(np.float32)
    stft = torch.stft(
        torch.from_numpy(samples)[None],
        160,
        80,
        160,
        torch.hann_window(160),
        return_complex=True,
    ).abs()
    expected = torch.log1p(stft * 50)
    expected = (expected - expected.mean((1, 2), keepdim=True)) / (
        expected.std((1, 2), keepdim=True) + 1e-5
    )
    features = codec.encode([samples])
    assert features["spectrogram"].shape == (1, 81, 2345 // 80 + 1)
    assert np.allclose(features["spectrogram"], expected.numpy(), atol=1e-4)


def test_repeated_letters_are_merged_unless_a_blank_separates_them(codec: SpectrogramCodec) -> None:
    path = [2, 2, 0, 2, 3, 1, 4, 4, 0, 0]
    results = np.eye(5)[path][None]
    assert codec.decode(results, {"frames": [20]}) == ["aab c"]


def test_padding_is_not_decoded(codec: SpectrogramCodec) -> None:
    results = np.eye(5)[[[2, 3, 4, 4], [2, 3, 4, 4]]]
    assert codec.decode(results, {"frames": [8, 4]}) == ["abc", "ab"]


def test_a_batch_has_the_length_of_each_utterance(codec: SpectrogramCodec) -> None:
    short, long = np.zeros(800, np.float32), np.ones(1600, np.float32)
    features = codec.encode([short, long])
    assert features["spectrogram"].shape == (2, 81, 21)
    assert features["frames"] == [11, 21]


def test_utterances_are_digits_and_equal_with_an_equal_seed(recordings: Path) -> None:
    task = SpeechRecognition(recordings="recordings", utterances=20, digits=(3, 7))
    samples = task.samples(recordings.parent)
    counts = [len(text.split()) for text in samples.references]
    assert len(samples.inputs) == 20
    assert min(counts) >= 3
    assert max(counts) <= 7
    assert {word for text in samples.references for word in text.split()} <= {*DIGITS}
    again = task.samples(recordings.parent)
    assert all(np.array_equal(a, b) for a, b in zip(samples.inputs, again.inputs, strict=True))


def test_a_sized_sample_has_the_chosen_duration(recordings: Path) -> None:
    task = SpeechRecognition(recordings="recordings", utterances=5)
    inputs = task.samples(recordings.parent).inputs
    sized = task.sized(inputs, 3, 2)
    assert len(sized) == 16000
    assert task.duration_s(sized) == 2
    assert np.array_equal(sized[: len(inputs[3])], inputs[3])


def test_an_error_names_a_folder_without_recordings(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no recordings named DIGIT_SPEAKER_INDEX"):
        SpeechRecognition(recordings="nowhere").samples(tmp_path)


def test_an_error_names_a_recording_of_another_rate(recordings: Path) -> None:
    record(recordings / "0_anna_0.wav", 400, rate=16000)
    with pytest.raises(UserError, match=r"0_anna_0\.wav is not mono with 16 bits at 8000 Hz"):
        SpeechRecognition(recordings="recordings").samples(recordings.parent)


def test_results_that_are_not_finite_have_no_text(codec: SpectrogramCodec) -> None:
    results = np.log(np.eye(5)[[[2, 3, 4, 4], [2, 3, 4, 4]]] + 1e-9)
    results[0, 1] = np.nan
    results[1, 3, 2] = np.nan  # in the padding, which is not decoded
    assert codec.decode(results, {"frames": [8, 4]}) == [None, "ab"]


def test_an_alphabet_that_cannot_write_the_references_is_an_error(codec: SpectrogramCodec) -> None:
    task = SpeechRecognition(recordings="recordings")
    task.check(Samples([0, 0], ["ab", "c a"]), codec)
    with pytest.raises(UserError, match=r"have the letters ' ', 'A', 'b', .* without 'A'"):
        task.check(Samples([0], ["A b"]), codec)


@pytest.mark.parametrize("wrong", [{"utterances": 0}, {"digits": (0, 3)}, {"digits": (5, 3)}])
def test_a_set_without_utterances_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="has no sample: utterances is at least 1"):
        SpeechRecognition(recordings="recordings", **wrong)
