"""Mirroring: the expected output is the reversed text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from acme_inference.metric import LengthRatio
from pytest_infperf import Codec, Metric, Samples, Task


@dataclass(frozen=True)
class Mirroring(Task):
    _: KW_ONLY
    texts: str
    """A file with one text a line, relative to the suite's folder."""
    metrics: Sequence[Metric | str] = ("accuracy", LengthRatio())
    sample_size: int = 100

    @property
    def decoding(self) -> dict[str, str]:
        return {"direction": "right to left"}

    def samples(self, folder: Path) -> Samples:
        texts = (folder / self.texts).read_text().splitlines()
        return Samples(texts, [text[::-1] for text in texts])

    def codec(self, model: Path) -> Codec:
        return MirroringCodec()


class MirroringCodec:
    def encode(self, inputs: Sequence[Any]) -> Any:
        return [text[::-1] for text in inputs]

    def decode(self, results: Any, features: Any) -> list[Any]:
        return list(results)
