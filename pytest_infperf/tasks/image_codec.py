"""Codecs for image classifiers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.labels import listed
from pytest_infperf.tasks.data.images import pillow, with_channels
from pytest_infperf.tasks.labels import answers_like, read_labels
from pytest_infperf.tasks.probabilities import best_classes, ranked_classes, softmax

PREPROCESSOR = "preprocessor_config.json"


class LabelledCodec:
    """Base class of codecs for image classifiers. Results are logits, shape [batch, classes].

    An output is a label, or the list of the best labels if `ranked` is above 1.

    Raises
    ------
    UserError
        If the model's `config.json` cannot be read, or has fewer labels than two or `ranked`.
    """

    axes: Mapping[str, Sequence[str | int]]
    channels: int
    """Number of colour channels, 1 or 3."""
    size: tuple[int, int] | None
    """Required rows and columns of an image; None if images are resized."""
    labels: Mapping[int, str]
    """Labels by the index of their logit; empty if the model has only class numbers."""

    def __init__(self, model: Path, ranked: int = 1) -> None:
        self.config_path = model / "config.json"
        try:
            self.config: dict[str, Any] = dict(json.loads(self.config_path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"{self.config_path} is not a readable model configuration ({error!r})"
            ) from error
        has_labels = "id2label" in self.config or "model_type" in self.config
        self.labels = read_labels(self.config, self.config_path) if has_labels else {}
        self._answer: Callable[[int], str | int] = (
            self.labels.__getitem__ if self.labels else _as_it_is
        )
        self._largest = -1
        self._ranked = ranked
        if self.labels:
            self._check_count(len(self.labels))

    def _check_count(self, classes: int) -> None:
        if classes < self._ranked:
            raise UserError(f"ranked={self._ranked} is more than the {classes} labels of the model")

    def answer_like(self, references: Sequence[str | int], data: str) -> None:
        """Return names or numbers as outputs, whichever the references use.

        Parameters
        ----------
        references : sequence of str or int
            The labels of the test data.
        data : str
            The name of the test data, for messages.

        Raises
        ------
        UserError
            If a reference is a label that the model does not have.
        """
        numbers = {label for label in references if isinstance(label, int)}
        texts = {label for label in references if isinstance(label, str)}
        if self.labels and texts:
            self._answer = answers_like(texts, self.labels, data, self.config_path).__getitem__
            return
        if names := sorted(label for label in texts if not _is_number(label)):
            raise UserError(
                f"{data} has the labels {listed(names)}, but the model has only class numbers: add "
                f'"id2label": {{"0": ..., "1": ...}} to {self.config_path}, or number the labels '
                "of the data from 0"
            )
        found = {*numbers, *map(int, texts)}
        self._largest = max(found)
        if min(found) < 0 or (self.labels and self._largest >= len(self.labels)):
            raise UserError(
                f"{data} has labels from {min(found)} to {self._largest}, but the classes of the "
                f"model in {self.config_path} are numbered from 0 to {len(self.labels) - 1}"
            )
        self._answer = str if texts else _as_it_is

    def check_sizes(self, images: Sequence[Any]) -> None:
        """Check that images have the size that the model requires, if they are not resized.

        Raises
        ------
        UserError
            If an image has a different size.
        """
        for number, image in enumerate(images, 1):
            if self.size and image.shape[:2] != self.size:
                rows, columns = image.shape[:2]
                raise UserError(
                    f"image {number} has {rows} rows of {columns} pixels, but `input` in "
                    f"{self.config_path} is {self.size[0]} rows of {self.size[1]}: resize the "
                    f"images, or save the model's preprocessing as {PREPROCESSOR} in its folder"
                )

    def decode(self, results: Any, features: Any) -> list[Any]:
        classes = results.shape[-1]
        if self.labels and classes != len(self.labels):
            raise UserError(
                f"the model returns {classes} values for each image, but "
                f"{self.config_path} has {len(self.labels)} labels: correct id2label"
            )
        if self._largest >= classes:
            raise UserError(
                f"the test data has the label {self._largest}, but the model returns "
                f"{classes} values for each image, for the classes 0 to {classes - 1}"
            )
        self._check_count(classes)
        if self._ranked == 1:
            return [None if best is None else self._answer(best) for best in best_classes(results)]
        ranked = ranked_classes(results, self._ranked)
        return [None if row is None else [*map(self._answer, row)] for row in ranked]

    def probabilities(self, results: Any) -> list[dict[str, float]]:
        """Return the probability of each class, for each sample."""
        names = self.labels or {number: str(number) for number in range(results.shape[-1])}
        return [dict(zip(names.values(), row, strict=True)) for row in softmax(results).tolist()]


class ImageCodec(LabelledCodec):
    """Codec that normalises pixels with the mean and standard deviation in config.json.

    Features are float32, shape [batch, channels, rows, columns].

    Raises
    ------
    UserError
        As `LabelledCodec`, and also if config.json lacks a value.
    """

    def __init__(self, model: Path, ranked: int = 1) -> None:
        import numpy as np

        super().__init__(model, ranked)
        try:
            channels, rows, columns = map(int, self.config["input"])
            mean, std = (
                np.array(self.config[name], np.float64).reshape(-1, 1, 1)
                for name in ("mean", "std")
            )
            if channels not in (1, 3) or not {len(mean), len(std)} <= {1, channels}:
                raise ValueError(f"{channels} channels, {len(mean)} means, {len(std)} deviations")
            if not (np.isfinite(mean).all() and (std > 0).all()):
                raise ValueError("a mean or deviation that cannot be used")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.config_path} must have the `input` shape [channels, rows, columns] with 1 "
                "or 3 channels, and the `mean` and `std` of pixels from 0 to 1, a number or one "
                f"for each channel ({error!r}); or save an image processor of transformers as "
                f"{PREPROCESSOR} in the same folder"
            ) from error
        self.channels, self.size = channels, (rows, columns)
        self._scale = (1 / (255 * std)).astype(np.float32)
        self._shift = (mean / std).astype(np.float32)
        self.axes = {"image": ("batch", channels, rows, columns)}

    def encode(self, inputs: Sequence[Any]) -> dict[str, Any]:
        import numpy as np

        if self.channels == 1 and all(image.ndim == 2 for image in inputs):
            pixels = np.stack(inputs)[:, None]
        else:
            images = [with_channels(image, self.channels) for image in inputs]
            pixels = np.stack([image.transpose(2, 0, 1) for image in images])
        return {"image": pixels.astype(np.float32) * self._scale - self._shift}


class ProcessorCodec(LabelledCodec):
    """Codec that uses the transformers image processor in the model's folder.

    Features are float32, shape [batch, channels, rows, columns].

    Raises
    ------
    UserError
        As `LabelledCodec`, and also if the processor cannot be opened, or returns images of
        different sizes.
    """

    size = None

    def __init__(self, model: Path, ranked: int = 1) -> None:
        super().__init__(model, ranked)
        self.channels = self.config.get("num_channels", 3)
        if self.channels not in (1, 3):
            raise UserError(
                f"{self.config_path}: num_channels is {self.channels}, but must be 1 or 3"
            )
        pillow()
        path = model / PREPROCESSOR
        try:
            self._processor = _open_processor(path)
            self.axes = {"pixel_values": ("batch", *self._shape())}
        except UserError:
            raise
        except Exception as error:  # raised by the processor's own code
            raise UserError(
                f"transformers cannot use {path}: {error!r}; save it with "
                "image_processor.save_pretrained"
            ) from error

    def _shape(self) -> Sequence[int]:
        """Return the shape of the features of an image. It must not depend on the image."""
        import numpy as np

        wide, high = (
            self.encode([np.zeros((*size, 3), np.uint8)])["pixel_values"].shape[1:]
            for size in ((48, 80), (80, 48))
        )
        if wide != high:
            raise UserError(
                f"{self.config_path.with_name(PREPROCESSOR)} returns images of different sizes "
                f"({list(wide)} and {list(high)}): set a height and a width, or do_center_crop"
            )
        if len(wide) != 3:
            raise UserError(
                f"{self.config_path.with_name(PREPROCESSOR)} returns features of shape "
                f"{list(wide)} for an image, not [channels, rows, columns]"
            )
        return tuple(wide)

    def encode(self, inputs: Sequence[Any]) -> dict[str, Any]:
        import numpy as np

        images = [with_channels(image, self.channels) for image in inputs]
        features = self._processor(images, input_data_format="channels_last", return_tensors="np")
        return {"pixel_values": np.ascontiguousarray(features["pixel_values"], np.float32)}


def _open_processor(path: Path) -> Any:
    """Return the image processor of a file, in its Pillow and NumPy version.

    The "fast" version of transformers resizes with torchvision and returns different pixels.
    """
    try:
        import transformers
    except ImportError as error:
        raise UserError(f'{path} needs: pip install "pytest-infperf[torch,vision]"') from error
    # AutoImageProcessor imports scikit-learn and SciPy, which takes seconds.
    written = json.loads(path.read_text("utf-8")).get("image_processor_type")
    has_suffix = int(transformers.__version__.partition(".")[0]) >= 5
    name = f"{str(written).removesuffix('Fast')}{'Pil' if has_suffix else ''}"
    kind: Any = getattr(transformers, name, None) or transformers.AutoImageProcessor
    return kind.from_pretrained(str(path.parent), use_fast=False, trust_remote_code=False)


def open_codec(model: Path, ranked: int) -> ImageCodec | ProcessorCodec:
    """Return the codec of a model's folder."""
    kind = ProcessorCodec if (model / PREPROCESSOR).is_file() else ImageCodec
    return kind(model, ranked)


def _as_it_is(number: int) -> int:
    return number


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdecimal() and str(int(label)) == label
