"""Classification of images from files, tables, datasets and IDX files."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs
from pytest_infperf.suite.codec import ArrayCodec, InputsCodec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task
from pytest_infperf.tasks.data import Data, ReadsCalibration, read
from pytest_infperf.tasks.data.images import read_folder
from pytest_infperf.tasks.image_codec import open_codec

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class ImageClassification(ReadsCalibration, Task):
    """Classification of images with transformers models, or with your own model.

    Images are decoded once, when a worker starts, with their EXIF orientation applied and
    transparency dropped. They stay in the memory of each worker and count in the measures
    `load_time`, `loaded_memory` and `peak_memory`, equally for every variant. A test set of a few
    hundred to a few thousand photos is large enough. A query consists of preprocessing and model.

    Images are preprocessed by the image processor in the model's `preprocessor_config.json`
    (``pytest-infperf[torch,vision]``). Without one, the model's `config.json` must have the `input`
    shape [channels, rows, columns] and the `mean` and `std` of pixels from 0 to 1 (a number, or
    one for each channel); images must have that size. Models with one channel get grey images. A
    folder with a `modeling.py` is opened by it, other folders by transformers.

    The output is the label with the largest logit: its name in the model's `id2label`, or its
    number if the model or the data has no names.

    Parameters
    ----------
    data : Data, optional
        The test data: a folder with a subfolder of images for each class, relative to the suite's
        folder; or a table with a column of images and one of labels: a CSV, TSV, JSON, JSON Lines
        or Parquet file, a hub dataset, rows, or a function. Requires ``pytest-infperf[vision]``.
    image : str, default "image"
        The column with the image: a path relative to the file of the table (or to the suite's
        folder), the bytes of a file, a Pillow image, or a uint8 array, shape [rows, columns] or
        [rows, columns, 3].
    label : str, default "label"
        The column with the label, by name or by number from 0.
    images : str, optional
        Instead of `data`, an IDX file of unsigned bytes, plain or gzip, shape [images, rows,
        columns], relative to the suite's folder.
    labels : str, optional
        With `images`, an IDX file whose entry i is the class of image i.
    ranked : int, default 1
        The number of labels in an output. Above 1, an output is the list of the best labels, best
        first, for metrics of ranked labels such as "top1_accuracy" and "top5_accuracy".
    calibration : Data, optional
        Images of the form of `data` that calibrate ``int8="static"``, at most 200. None uses a
        fifth of the test data, at most 200 images, which are not scored.
    metrics : sequence of Metric, CorpusMetric or str, default ("accuracy",)
        Quality scores.
    sample_size : int, default 2000
        Number of images to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If not exactly one of `data` and (`images`, `labels`) is given; if an image or a label is
        missing or cannot be read (when the samples are read); if the model's folder lacks a file or
        a value, or has fewer labels than `ranked` (when the codec is opened); or if the data has a
        label that the model does not have, or an image of the wrong size (before the model is
        built).

    References
    ----------
    IDX: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".

    Examples
    --------
    >>> from pytest_infperf import ImageClassification
    >>> photos = ImageClassification(data="photos/test")
    >>> table = ImageClassification(data="shop.csv", image="file", label="product")
    >>> digits = ImageClassification(images="images-idx3-ubyte.gz", labels="labels-idx1-ubyte.gz")
    >>> digits.sample_size
    2000
    """

    auto_class: ClassVar[str | None] = "AutoModelForImageClassification"

    _: KW_ONLY
    data: Data | None = None
    image: str = "image"
    label: str = "label"
    images: str | None = None
    labels: str | None = None
    ranked: int = 1
    metrics: Sequence[AnyMetric | str] = ("accuracy",)
    sample_size: int = 2000

    def __post_init__(self) -> None:
        has_idx = [name for name in (self.images, self.labels) if name is not None]
        if len(has_idx) != (2 if self.data is None else 0):
            raise UserError(
                "ImageClassification requires either data=..., or both images=... and labels=..., "
                "the IDX files"
            )
        if self.ranked < 1:
            raise UserError(f"ImageClassification(ranked={self.ranked}): must be at least 1")
        names = [getattr(metric, "name", metric) for metric in self.metrics]
        if self.ranked > 1 and (plain := {"accuracy", "f1"} & {*names}):
            raise UserError(
                f"ImageClassification(ranked={self.ranked}) returns lists of labels, but "
                f'{min(plain)} scores a single label: use metrics=("top1_accuracy", '
                f'"top{self.ranked}_accuracy")'
            )

    @property
    def extras(self) -> tuple[str, ...]:
        return () if self.data is None else (*super().extras, "vision")

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        if self.images is not None and self.labels is not None:
            return _read_idx_files(folder / self.images, folder / self.labels)
        assert self.data is not None
        path = folder / self.data if isinstance(self.data, str) else folder
        if isinstance(self.data, str) and path.is_dir():
            return Samples(*read_folder(path))
        table = read(self.data, folder, [self.image, self.label])
        labels = table.labels(self.label)
        for label, place in zip(labels, table.places, strict=True):
            if isinstance(label, list):
                raise UserError(f"{place}: {self.label!r} must be one label, not {label}")
        return Samples(table.images(self.image), labels)

    def calibration_inputs(self, folder: Path) -> Sequence[Any] | None:
        if self.calibration is None:
            return None
        return replace(self, data=self.calibration, images=None, labels=None).samples(folder).inputs

    def codec(self, model: Path) -> ArrayCodec:
        return open_codec(model, self.ranked)

    def check(self, samples: Samples, codec: Any) -> None:
        """Check that the model has every label of the data, and images have the right size."""
        named = self.labels or (self.data if isinstance(self.data, str) else "the data")
        codec.answer_like(samples.references, named)
        codec.check_sizes(samples.inputs)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.image_payloads import ImageToLabel, PhotoToLabel

        if isinstance(codec, InputsCodec):
            return self._payload_of_inputs()
        if codec.size and codec.channels == 1:
            return ImageToLabel(*codec.size)
        return PhotoToLabel(codec.size)

    def _payload_of_inputs(self) -> Payload:
        """Return the payload of a variant without a codec."""
        from pytest_infperf.tasks.image_payloads import PhotoToLabel

        if self.data is None:
            raise UserError(
                "ImageClassification of IDX files can only be served with a model whose "
                "config.json has the size of the images, which this variant lacks: use data=..."
            )
        return PhotoToLabel(None)


def _read_idx_files(images_path: Path, labels_path: Path) -> Samples:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} has {len(images):,} images, but {labels_path} has "
            f"{len(labels):,} labels: each image needs one label"
        )
    if not len(images):
        raise UserError(f"{images_path} has no image: it needs at least one")
    return Samples(list(images), labels.tolist())


_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Path) -> Any:
    """Return the array of an IDX file, plain or gzip. Raises UserError if it is not one."""
    import numpy as np

    try:
        content = path.read_bytes()
        raw = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        kind, axes = _TYPES[raw[2]], raw[3]
        shape = np.frombuffer(raw, ">i4", axes, 4)
        return np.frombuffer(raw, kind, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, KeyError, IndexError, ValueError) as error:
        reason = lfs.fetch_it(path) if lfs.is_pointer(path) else repr(error)
        raise UserError(f"cannot read {path} as an IDX file: {reason}") from error
