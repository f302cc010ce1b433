"""Image classification: a grey image in, a class out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.task import ArrayCodec, Decoding, Metric, Samples, Task
from pytest_infperf.tasks.probabilities import softmax

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class ImageClassification(Task):
    """Images and labels in IDX files, packed or not, as MNIST has them (LeCun, "The MNIST
    database"): image i has label i."""

    _: KW_ONLY
    images: str
    labels: str
    metrics: Sequence[Metric | str] = ("accuracy",)
    sample_size: int = 2000

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        images, labels = read_idx(folder / self.images), read_idx(folder / self.labels)
        if len(images) != len(labels):
            raise UserError(
                f"{folder / self.images} has {len(images):,} images and {folder / self.labels} "
                f"{len(labels):,} labels: label i must be that of image i"
            )
        return Samples(list(images), labels.tolist())

    def codec(self, model: Path) -> ArrayCodec:
        return ImageCodec(model)

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import ImageToLabel

        rows, columns = codec.axes["image"][-2:]
        return ImageToLabel(rows, columns)


class ImageCodec:
    """Normalises pixels as the model's config.json says.

    Features are float32, shape [batch, 1, rows, columns]; results are logits, shape [batch,
    classes].
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
        classes: list[Any] = results.argmax(axis=-1).tolist()
        return classes

    def probabilities(self, results: Any) -> list[dict[str, float]]:
        """By class, of each sample."""
        return [
            {str(number): share for number, share in enumerate(row)}
            for row in softmax(results).tolist()
        ]


_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Path) -> Any:
    """The array of an IDX file. Raises UserError for anything else."""
    import numpy as np

    try:
        packed = path.read_bytes()
        raw = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
        kind, axes = _TYPES[raw[2]], raw[3]
        shape = np.frombuffer(raw, ">i4", axes, 4)
        return np.frombuffer(raw, kind, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, KeyError, IndexError, ValueError) as error:
        raise UserError(f"cannot read {path} as an IDX file: {error!r}") from error
