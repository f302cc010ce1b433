"""The null task: outputs should equal inputs. With the fake backend it measures the harness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infperf.suite.task import Codec, Decoding, Metric, Samples, Task

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


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

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """The sample as often as it takes; the codec cuts it to `length` characters."""
        return str(inputs[number]) * length

    def codec(self, model: Path) -> Codec:
        return EchoCodec()

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import TextToText

        return TextToText()


class EchoCodec:
    def encode(self, inputs: Sequence[Any], length: int | None = None) -> Any:
        return inputs if length is None else [text[:length] for text in inputs]

    def decode(self, results: Any, features: Any) -> list[Any]:
        return list(results)
