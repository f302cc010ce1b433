"""The stages of a run, and how a run is made to wait in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Stage:
    """One stage: the phase of the progress line at which the run is made to wait."""

    name: str
    point: Literal["build", "load", "infer", "report"]
    """Where a process waits: in the backend of `target`, or before the page is written."""
    phase: str = ""
    """A pattern of the progress line, from which on it waits; empty: wherever the point is."""
    call: str = ""
    """What the stage's own test calls on `variant`; empty if the other tests reach the stage."""
    gates: tuple[str, ...] = ()
    """Limits of its own, which a run without a fault meets."""
    after: int = 0
    """Queries that a process answers before it waits."""
    variant: str = ""
    """More arguments of the variant `target`."""
    options: tuple[str, ...] = ()
    in_server: bool = False
    """Whether a server waits, not a worker."""

    @property
    def is_first_of_target(self) -> bool:
        """Whether nothing of `target` was measured before."""
        return self.point in ("build", "load") or "searching" in self.phase

    @property
    def has_worktree(self) -> bool:
        """Whether another revision is checked out in the cache."""
        return "--infperf-against=HEAD" in self.options

    @property
    def waits_from_the_start(self) -> bool:
        return not self.phase and self.point != "report"


_LATENCY = ('latency_p50 = { max = "100 ms" }',)

STAGES = (
    Stage("building", "build"),
    Stage("loading", "load"),
    Stage(
        "thread search",
        "infer",
        r"\[target\] searching the best",
        after=3,
        variant=', threads="best"',
    ),
    Stage("latency", "infer", r"\[target\] measuring latency", "latency()", _LATENCY, after=10),
    Stage("pairs", "infer", r"\[target\] measuring against base", "latency()", _LATENCY),
    Stage("set run", "infer", r"\[target\] running the quality set"),
    Stage(
        "sweep",
        "infer",
        r"\[target\] sweeping batch",
        'sweep("batch")',
        ('latency_p50.at."batch=1" = { max = "100 ms" }',),
    ),
    Stage(
        "load",
        "infer",
        r"\[target\] under load",
        'load("users=2")',
        ('error_rate.at."users=2" = { max = 0 }',),
        after=5,
        in_server=True,
    ),
    Stage(
        "other revision",
        "infer",
        r"\[target\] measuring against HEAD",
        "latency()",
        (*_LATENCY, 'regression = { max = "900 %" }'),
        options=("--infperf-against=HEAD",),
    ),
    Stage("writing reports", "report", options=("--infperf-html",)),
)
"""In the order in which a run comes to them."""
