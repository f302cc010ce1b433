"""Images: reading IDX files, and the features and answers of a model."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from pytest_infperf import ImageClassification, UserError
from pytest_infperf.tasks.image_codec import ImageCodec
from pytest_infperf.tasks.vision import read_idx


def idx(path: Path, values: np.ndarray, *, packed: bool = False) -> Path:
    raw = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}i", *values.shape)
    raw += values.astype("u1").tobytes()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_an_idx_file_is_read_with_its_shape(tmp_path: Path, packed: bool) -> None:
    values = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(read_idx(idx(tmp_path / "images", values, packed=packed)), values)


@pytest.mark.parametrize("content", [b"", b"no idx", b"\x1f\x8bbroken", b"\0\0\x08\x01\0\0\0\x09"])
def test_an_error_names_a_file_that_is_not_idx(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read .*images as an IDX file"):
        read_idx(tmp_path / "images")


def test_an_image_without_a_label_is_an_error(tmp_path: Path) -> None:
    idx(tmp_path / "images", np.zeros((3, 2, 2)))
    idx(tmp_path / "labels", np.zeros(2))
    task = ImageClassification(images="images", labels="labels")
    with pytest.raises(UserError, match=r"3 images and .* 2 labels"):
        task.samples(tmp_path)


def test_pixels_are_normalised_with_the_models_configuration(tmp_path: Path) -> None:
    config = {"input": [1, 2, 2], "mean": 0.5, "std": 0.25}
    (tmp_path / "config.json").write_text(json.dumps(config))
    image = np.array([[0, 255], [51, 102]], dtype="u1")
    features = ImageCodec(tmp_path).encode([image, image])
    assert features["image"].shape == (2, 1, 2, 2)
    assert features["image"].dtype == np.float32
    assert np.allclose(features["image"][1, 0], [[-2, 2], [-1.2, -0.4]])


def test_the_class_with_the_largest_logit_is_the_answer(tmp_path: Path) -> None:
    config = {"input": [1, 2, 2], "mean": 0, "std": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ImageCodec(tmp_path).decode(np.array([[0.1, 0.7, 0.2], [5, 1, 2]]), {}) == [1, 0]


def test_an_error_names_a_configuration_without_normalisation(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"mean": 0}')
    with pytest.raises(UserError, match="must have the `input` shape"):
        ImageCodec(tmp_path)


def test_logits_that_are_not_finite_have_no_class(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"input": [1, 2, 2], "mean": 0, "std": 1}))
    logits = np.array([[0.1, np.nan, 0.2], [5, 1, 2], [np.inf, 0, 0]])
    assert ImageCodec(tmp_path).decode(logits, {}) == [None, 0, None]


def test_files_without_images_are_named(tmp_path: Path) -> None:
    idx(tmp_path / "images", np.zeros((0, 2, 2)))
    idx(tmp_path / "labels", np.zeros(0))
    with pytest.raises(UserError, match="images has no image"):
        ImageClassification(images="images", labels="labels").samples(tmp_path)
