"""Spectrograms like those of torch, and the best path of CTC."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pytest_infperf import Samples, SpeechRecognition, UserError
from pytest_infperf.tasks.spectrogram import SpectrogramCodec

CONFIG = {"n_fft": 160, "hop": 80, "bins": 81, "alphabet": "_ abc", "blank": 0}


@pytest.fixture
def codec(tmp_path: Path) -> SpectrogramCodec:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return SpectrogramCodec(tmp_path)


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


def test_results_that_are_not_finite_have_no_text(codec: SpectrogramCodec) -> None:
    results = np.log(np.eye(5)[[[2, 3, 4, 4], [2, 3, 4, 4]]] + 1e-9)
    results[0, 1] = np.nan
    results[1, 3, 2] = np.nan  # in the padding, which is not decoded
    assert codec.decode(results, {"frames": [8, 4]}) == [None, "ab"]


def test_an_alphabet_that_cannot_write_the_references_is_an_error(codec: SpectrogramCodec) -> None:
    task = SpeechRecognition(data=[])
    task.check(Samples([0, 0], ["ab", "c a"]), codec)
    with pytest.raises(UserError, match=r"have the letters ' ', 'A', 'b', .* without 'A'"):
        task.check(Samples([0], ["A b"]), codec)
