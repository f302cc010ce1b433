"""A null task: the correct output equals the input.

With the `Fake` backend, it measures the overhead of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.codec import Codec
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.task import Decoding, Task

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class Echo(Task):
    """A null task on generated texts: an output is correct if it equals its input.

    It requires no data, no model files and no extra.

    Parameters
    ----------
    count : int, default 200
        Number of samples, at least 1: "sample 0", "sample 1" and so on.
    metrics : sequence of Metric, CorpusMetric or str, default ("accuracy",)
        Quality scores.
    sample_size : int, default 100
        Number of samples to measure and score, drawn with a seed; ``--infperf-full`` uses all.

    Raises
    ------
    UserError
        If `count` is less than 1.

    Examples
    --------
    >>> from pathlib import Path
    >>> from pytest_infperf import Echo
    >>> Echo(count=2).samples(Path()).inputs
    ['sample 0', 'sample 1']
    """

    _: KW_ONLY
    count: int = 200
    metrics: Sequence[AnyMetric | str] = ("accuracy",)
    sample_size: int = 100

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"Echo(count={self.count}): count must be at least 1")

    @property
    def decoding(self) -> Decoding:
        return {}

    def samples(self, folder: Path) -> Samples:
        texts = [f"sample {i}" for i in range(self.count)]
        return Samples(texts, texts)

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Repeat the sample `length` times; the codec truncates it to `length` characters."""
        return str(inputs[number]) * length

    def codec(self, model: Path) -> Codec:
        return EchoCodec()

    def payload(self, codec: Any) -> Payload:
        from pytest_infperf.tasks.payloads import TextToText

        return TextToText()


class EchoCodec:
    """Codec that passes texts through unchanged."""

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> Any:
        return inputs if length is None else [text[:length] for text in inputs]

    def decode(self, results: Any, features: Any) -> list[Any]:
        return list(results)
