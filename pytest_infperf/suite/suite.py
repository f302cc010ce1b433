"""What a suite is made of: a task with its data and metrics, a model, and the backends that run it.

These are the protocols that the rest of the package and third parties build on. A suite is a
value: it opens no file and imports no runtime, so a test run and a worker can both load it.
"""

from __future__ import annotations

import hashlib
import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast

from pytest_infperf.errors import UserError
from pytest_infperf.records.points import point
from pytest_infperf.serving.server.settings import Serving
from pytest_infperf.suite.loads import Load

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_infperf.serving.server.payload import Payload

CALIBRATION_QUERIES = 200

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


@dataclass(frozen=True)
class Material:
    """What an artifact is made from."""

    model: Path
    """The folder of the model's files."""
    task: Task
    data: Path
    """The folder that the task's samples are read from."""
    source: Path | None = None
    """The artifact of `Backend.built_from`."""

    def codec(self) -> ArrayCodec:
        """Of a model that answers in one pass."""
        return cast(ArrayCodec, self.task.codec(self.model))

    def features(self, count: int = CALIBRATION_QUERIES) -> list[dict[str, Any]]:
        """What a model that answers in one pass is given by queries of one sample each.

        Evenly from all samples: to calibrate a quantisation with, or to trace a model. No reference
        is looked at.
        """
        inputs, codec = self.task.samples(self.data).inputs, self.codec()
        step = max(1, len(inputs) // count)
        queries = [codec.encode([inputs[i]]) for i in range(0, len(inputs), step)][:count]
        return [{name: features[name] for name in codec.axes} for features in queries]


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

    @property
    def calibrates(self) -> bool:
        """Whether the artifact also depends on the samples (`Material.features`)."""
        return False

    def missing_hardware(self) -> str:
        """What this host lacks to run it; its tests are skipped with that reason."""
        return ""

    @abstractmethod
    def build(self, material: Material, folder: Path) -> dict[str, Any]:
        """Write the artifact into an empty folder; returns evidence of what was done.

        Raises BuildError when it cannot be made.
        """

    @abstractmethod
    def load(self, artifact: Path, task: Task, threads: int | None) -> Runner:
        """Load the artifact with that many threads, or with the runtime's default."""

    def doubts(self, evidence: Mapping[str, Any]) -> list[str]:
        """Reasons, seen when building, why this variant may be no faster than the baseline."""
        return []


@dataclass(frozen=True)
class Sweep:
    """One parameter of queries over several values, all of them measured in turns."""

    parameter: Literal["batch", "length", "threads"]
    """Samples of a query; a sample's length, in the unit that its task counts; threads."""
    values: Sequence[int]
    variants: str = "*"
    """A glob over the ids of the variants that it is measured for."""

    def __post_init__(self) -> None:
        ascending = all(a < b for a, b in pairwise(self.values))
        if len(self.values) < 2 or self.values[0] < 1 or not ascending:
            raise UserError(
                f"Sweep({self.parameter!r}): {list(self.values)} are no two or more whole numbers "
                "of at least 1, in ascending order"
            )

    @property
    def points(self) -> list[str]:
        """Such as `length=512`."""
        return [point(self.parameter, value) for value in self.values]


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
    sweeps: Sequence[Sweep] = ()
    """What `variant.sweep` measures, by the name of its parameter."""
    serving: Serving = field(default_factory=Serving)
    """How `variant.load` and `infperf serve` serve its variants."""
    loads: Sequence[Load] = ()
    """What `variant.load` puts on a server, by name."""
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
