"""What a suite is made of: a task with its data and metrics, a model, and the backends that run it.

These are the protocols that the rest of the package and third parties build on. A suite is a
value: it opens no file and imports no runtime, so a test run and a worker can both load it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pytest_infperf.errors import UserError
from pytest_infperf.records.points import point
from pytest_infperf.suite.backend import Backend, Threads
from pytest_infperf.suite.loads import Load
from pytest_infperf.suite.serving import Serving
from pytest_infperf.suite.task import Task


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
