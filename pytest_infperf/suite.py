"""What a suite is made of: a task with its data and metrics, a model, and the backends that run it.

These are the protocols that the rest of the package and third parties build on. A suite is a
value: it opens no file and imports no runtime, so a test run and a worker can both load it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Threads = int | Literal["best"] | None
"""A number, "best" (a short interleaved search), or None for the runtime's own default."""

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


class Codec(Protocol):
    """A task's way from samples to a model's features and from its results to outputs."""

    def encode(self, inputs: Sequence[Any]) -> Any:
        """Features of one query."""

    def decode(self, results: Any) -> list[Any]:
        """Outputs of one query, one a sample, each of JSON's types."""


class Task(ABC):
    """How a sample becomes a query and an output a score."""

    metrics: Sequence[Metric | str]
    sample_size: int

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


class Runner(Protocol):
    """A loaded variant, inside its worker."""

    decoding: Decoding
    threads: int

    def infer(self, features: Any) -> Any:
        """Run the model on the features of one query."""


@dataclass(frozen=True)
class Backend(ABC):
    """A runtime with its optimisations: builds an artifact once and loads it in a worker.

    Subclasses are frozen dataclasses whose fields are of JSON's types, because a worker receives
    them by name and value. Runtimes are imported inside `build` and `load`, never on top.
    """

    _: KW_ONLY
    model: str | None = None
    """A folder, relative to the suite's, or a hub id; None takes the suite's model."""
    id: str | None = None
    """The variant's stable id; None derives one from the backend and its optimisations."""
    threads: Threads | Literal["suite"] = "suite"
    cpus: tuple[int, ...] | None = None
    """The cores that the worker is pinned to; None leaves the choice to the system."""

    requires: ClassVar[tuple[str, ...]] = ()
    """Distributions that must be installed; their versions are part of an artifact's key."""
    extra: ClassVar[str | None] = None
    """The extra of pytest-infperf that installs them."""

    @property
    @abstractmethod
    def default_id(self) -> str:
        """Such as `onnx-fused-int8`."""

    @property
    def variant_id(self) -> str:
        return self.id or self.default_id

    def recipe(self) -> dict[str, Any]:
        """What the artifact depends on beside the model, the libraries and the instruction set."""
        placement = {"model", "id", "threads", "cpus"}
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in placement}
        own = {
            name: value.recipe() if isinstance(value, Backend) else value
            for name, value in values.items()
        }
        return {"backend": f"{type(self).__module__}:{type(self).__qualname__}", **own}

    def built_from(self) -> Backend | None:
        """The backend whose artifact this one starts from, such as an export; None: the model."""
        return None

    @abstractmethod
    def build(self, model: Path, task: Task, folder: Path, source: Path | None) -> dict[str, Any]:
        """Write the artifact into an empty folder; returns evidence of what was done.

        `source` is the artifact of `built_from`. Raises BuildError when it cannot be made.
        """

    @abstractmethod
    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        """Load the artifact with that many threads, or with the runtime's default."""

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        """Reasons, seen when building, why this variant may be no faster than the baseline."""
        return []


@dataclass(frozen=True)
class Suite:
    """A task with its data, metrics and variants."""

    name: str
    _: KW_ONLY
    task: Task
    model: str
    variants: Sequence[Backend]
    baseline: str | None = None
    """A variant's id; thresholds.toml and --infperf-baseline override it."""
    threads: Threads = None
    folder: Path = field(default=Path())
    """Where suite.py lies; set when the suite is found."""

    def at(self, folder: Path) -> Suite:
        return replace(self, folder=folder)

    def with_variants(self, more: Sequence[Backend]) -> Suite:
        return replace(self, variants=(*self.variants, *more))

    @property
    def variant_ids(self) -> list[str]:
        return [variant.variant_id for variant in self.variants]

    def variant(self, variant_id: str) -> Backend:
        return next(v for v in self.variants if v.variant_id == variant_id)

    def model_of(self, backend: Backend) -> str:
        return backend.model or self.model

    def threads_of(self, backend: Backend) -> Threads:
        return self.threads if backend.threads == "suite" else backend.threads
