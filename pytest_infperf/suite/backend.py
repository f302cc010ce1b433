"""What the author of a backend implements: it builds an artifact and loads it in a worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, cast

from pytest_infperf.suite.task import ArrayCodec, Decoding, Task

CALIBRATION_QUERIES = 200


Threads = int | Literal["best"] | None
"""A number, "best" (a short interleaved search), or None for the runtime's own default."""


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
