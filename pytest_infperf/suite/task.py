"""What the author of a task implements: samples, codec, metrics."""

from __future__ import annotations

import hashlib
import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pytest_infperf.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_infperf.suite.payload import Payload


Decoding = Mapping[str, int | float | str | bool]
"""How outputs are produced (beams, lengths ...): the same in every variant, or no comparison."""


class Metric(Protocol):
    """A quality score that is a function of summed per-sample statistics.

    BLEU, chrF, WER, accuracy and F1 all are, which makes a bootstrap a matrix product.
    """

    name: str
    unit: str
    higher_is_better: bool

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Per-sample statistics, shape [samples, k]."""

    def score(self, totals: NDArray[np.float64]) -> float:
        """The corpus score of statistics summed over samples, shape [k]."""

    def signature(self) -> str:
        """What makes two scores comparable: versions and settings."""


@dataclass(frozen=True)
class Samples:
    """The test data of a task: inputs and what their outputs are scored against."""

    inputs: Sequence[Any]
    references: Sequence[Any]

    def inputs_digest(self) -> str:
        """Equal for equal inputs in any process: each is hashed for itself, because equal ones
        need not be the same object in both."""
        digest = hashlib.sha256()
        for sample in self.inputs:
            digest.update(hashlib.sha256(pickle.dumps(sample)).digest())
        return digest.hexdigest()


class Codec(Protocol):
    """A task's way from samples to a model's features and from its results to outputs."""

    def encode(self, inputs: Sequence[Any]) -> Any:
        """Features of one query."""

    def decode(self, results: Any, features: Any) -> list[Any]:
        """Outputs of one query, one a sample, each of JSON's types."""


class ArrayCodec(Codec, Protocol):
    """Of a task whose models answer in one pass: features are arrays by name.

    What `features` has beyond `axes` is for `decode` alone; results are one array, a row a sample.
    """

    axes: Mapping[str, Sequence[str | int]]
    """By name of a model's input its axes: a size, or the name of what differs from query to
    query, such as `{"image": ("batch", 1, 28, 28)}`."""


class Task(ABC):
    """How a sample becomes a query and an output a score."""

    metrics: Sequence[Metric | str]
    sample_size: int

    generates: ClassVar[bool] = False
    """Models answer token by token; otherwise in one pass, and the codec is an ArrayCodec."""
    auto_class: ClassVar[str | None] = None
    """What opens models of this task, of transformers' Auto classes."""

    @property
    @abstractmethod
    def decoding(self) -> Decoding:
        """What every variant must share to be compared."""

    @abstractmethod
    def samples(self, folder: Path) -> Samples:
        """Read the test data; relative paths start at the suite's folder."""

    @abstractmethod
    def codec(self, model: Path) -> Codec:
        """Open what turns samples into features, from the model's own files."""

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """A sample of at least that length, made of the one of that number and those after it.

        The codec's `encode(inputs, length)` cuts its features to the length, in whatever unit the
        task counts (tokens, seconds). Raises UserError for a task without lengths.
        """
        raise UserError(f"{type(self).__name__} has no samples of a chosen length to sweep over")

    def payload(self, codec: Codec) -> Payload:
        """What a server of the task reads and writes. Raises UserError for a task without one."""
        raise UserError(f"{type(self).__name__} says no payload that a server would read")

    def duration_s(self, sample: Any) -> float | None:
        """Seconds of sound or film in a sample, for the real-time factor; None without any."""
        return None
