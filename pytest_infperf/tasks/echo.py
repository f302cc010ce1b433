"""The null task: outputs should equal inputs. With the fake backend it measures the harness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.suite import Codec, Decoding, Metric, Samples, Task


@dataclass(frozen=True)
class Echo(Task):
    _: KW_ONLY
    count: int = 200
    metrics: Sequence[Metric | str] = ("accuracy",)
    sample_size: int = 100

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        texts = [f"sample {i}" for i in range(self.count)]
        return Samples(texts, texts)

    def codec(self, model: Path) -> Codec:
        return EchoCodec()


class EchoCodec:
    def encode(self, inputs: Sequence[Any]) -> Any:
        return inputs

    def decode(self, results: Any) -> list[Any]:
        return list(results)
