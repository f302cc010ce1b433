"""Classification of grey images."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs
from pytest_infperf.suite.task import AnyMetric, ArrayCodec, Decoding, InputsCodec, Samples, Task
from pytest_infperf.tasks.probabilities import best_classes, softmax

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class ImageClassification(Task):
    """Classification of grey images from IDX files, the format of MNIST.

    Model folders have a `modeling.py` and a `config.json` with the `input` shape [channels, rows,
    columns] and the `mean` and `std` of pixels from 0 to 1. An answer is the class with the largest
    logit. The task itself needs no extra.

    Parameters
    ----------
    images : str
        IDX file of unsigned bytes, plain or gzip, shape [images, rows, columns], relative to the
        suite's folder.
    labels : str
        IDX file whose entry i is the class of image i.
    metrics : sequence of Metric, CorpusMetric or str, default ("accuracy",)
        Quality scores.
    sample_size : int, default 2000
        Images that are measured and scored, drawn with a seed; ``--infperf-full`` takes all.

    Raises
    ------
    UserError
        If a file is not an IDX file, is empty, or the files differ in their length (when the
        samples are read), or if the model's `config.json` lacks a value (when the codec is opened).

    References
    ----------
    LeCun, Cortes, Burges, "The MNIST database of handwritten digits".

    Examples
    --------
    >>> from pytest_infperf import ImageClassification
    >>> task = ImageClassification(images="images-idx3-ubyte.gz", labels="labels-idx1-ubyte.gz")
    >>> task.sample_size
    2000
    """

    _: KW_ONLY
    images: str
    labels: str
    metrics: Sequence[AnyMetric | str] = ("accuracy",)
    sample_size: int = 2000

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        images, labels = read_idx(folder / self.images), read_idx(folder / self.labels)
        if len(images) != len(labels):
            raise UserError(
                f"{folder / self.images} has {len(images):,} images and {folder / self.labels} "
                f"{len(labels):,} labels: each image needs one label"
            )
        if not len(images):
            raise UserError(f"{folder / self.images} has no image: it needs at least one")
        return Samples(list(images), labels.tolist())

    def codec(self, model: Path) -> ArrayCodec:
        return ImageCodec(model)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import ImageToLabel

        if isinstance(codec, InputsCodec):
            raise UserError(
                "ImageClassification can be served only with a model whose config.json has the "
                "size of images, which a variant that answers inputs itself does not have"
            )
        rows, columns = codec.axes["image"][-2:]
        return ImageToLabel(rows, columns)


class ImageCodec:
    """Codec that normalises pixels with the mean and deviation in the model's config.json.

    Features are float32, shape [batch, 1, rows, columns]. Results are logits, shape [batch,
    classes]. Raises UserError if config.json lacks a value.
    """

    def __init__(self, model: Path) -> None:
        try:
            config = json.loads((model / "config.json").read_text("utf-8"))
            self._scale = 1 / (255 * float(config["std"]))
            self._shift = float(config["mean"]) / float(config["std"])
            shape = tuple(map(int, config["input"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{model / 'config.json'} must have the `input` shape [channels, rows, columns], "
                f"and the `mean` and `std` of pixels from 0 to 1 ({error!r})"
            ) from error
        self.axes: Mapping[str, Sequence[str | int]] = {"image": ("batch", *shape)}
        self._shape = shape

    def encode(self, inputs: Sequence[Any]) -> dict[str, Any]:
        import numpy as np

        pixels = np.stack(inputs).astype(np.float32)
        return {"image": (pixels * self._scale - self._shift).reshape(-1, *self._shape)}

    def decode(self, results: Any, features: Any) -> list[Any]:
        return list(best_classes(results))

    def probabilities(self, results: Any) -> list[dict[str, float]]:
        """Return the probability of each class, for each sample."""
        return [
            {str(number): probability for number, probability in enumerate(row)}
            for row in softmax(results).tolist()
        ]


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
