"""Recorded minutes of two commits on one host: the data for each rule of `bench.peer_rules`.

A minute contains our pairs over a whole budget. Between them, at random times, are the runs of the
other tools. Each is a separate process that loads the variant and then repeatedly calls the same
function, a pass over a few inputs. All rules therefore observe the same host in the same minute.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.backends.fake import Slowed
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import WorkerPairs, measure_ratio
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.thresholds import Policy

SCHEMA = 1
SLOWDOWNS = (0.0, 0.03, 0.05)
"""The slowdowns of the later commit, as fractions of the model's time."""
BUDGET_S = 40.0
PASS_INPUTS = 8
"""Number of inputs of a pass. The benchmark function of each tool runs one pass."""
_OTHER = "later-commit"

Side = Literal["base", "head"]


@dataclass(frozen=True)
class Stage:
    """The processes that a tool starts, one after the other."""

    name: str
    order: Sequence[Side]
    least_s: float
    """Minimum duration of the passes of a process, in seconds."""


IN_A_ROW = Stage("in a row", ("base", "head"), 4.5)
"""One process of each commit, for pytest-benchmark and pytest-codspeed. The time suffices for the
longer one: 1 s of warm-up and 3 s of rounds."""
ROUNDS = Stage("rounds", ("base", "head", "head", "base"), 0.5)
"""Two processes of each commit. `asv continuous` interleaves its rounds in this order."""
RUNS = Stage("runs", ("base", "head") * 5, 1.0)
"""Five processes of each commit in turn, as inference-doctor recommends."""
STAGES = (IN_A_ROW, ROUNDS, RUNS)


@dataclass(frozen=True)
class ToolRun:
    """One process of a tool."""

    side: Side
    start_s: float
    """Time from the start of the process until its first query is answered, in seconds."""
    pass_ns: Sequence[int]
    """Time of each pass, in nanoseconds."""


@dataclass
class ProcessPair:
    """A pair of processes of our rule."""

    start_s: float
    """Time of starting both, in seconds."""
    pairs: list[tuple[float | None, float]] = field(default_factory=list)
    """The log ratio of each pair, None for a disturbed one, and its measuring time in seconds."""


@dataclass(frozen=True)
class Minute:
    """Measurements of two commits, one of which is slower by a known fraction."""

    slowdown: float
    processes: Sequence[ProcessPair]
    runs: dict[str, list[ToolRun]]
    """The processes of each stage, in their order."""


@dataclass
class ReplayedPairs:
    """The pairs of a recorded minute, with the interface of `measure.paired.Pairs`."""

    source: Sequence[ProcessPair]
    by_process: list[list[float]] = field(default_factory=lambda: [[]])
    token_ratios: dict[str, list[list[float]]] = field(default_factory=dict)
    seconds: float = 0.0
    start_s: float = field(init=False)
    _read: int = 0
    """Number of pairs of the current processes that were read."""

    def __post_init__(self) -> None:
        self.start_s = self.source[0].start_s

    def measure(self) -> None:
        number = len(self.by_process) - 1
        if self._read == len(self.source[number].pairs):
            number, self._read = number + 1, 0
            if number == len(self.source):
                raise ValueError(
                    f"the recording ends after {self.seconds:.1f} s of pairs, but the judge "
                    "needs more: record with the judge's budget"
                )
            self.by_process.append([])
            self.start_s = self.source[number].start_s
            self.seconds += self.start_s
        log_ratio, seconds = self.source[number].pairs[self._read]
        self._read += 1
        self.seconds += seconds
        if log_ratio is not None:
            self.by_process[-1].append(log_ratio)

    def renew(self) -> None:
        """Do nothing: processes change where they did in the recording."""


@dataclass
class _RecordedPairs(WorkerPairs):
    """Recorded pairs of workers, with the stages of the tools in between."""

    stages: list[tuple[float, Stage]] = field(default_factory=list)
    """Stages, each with the measuring time after which it runs, in seconds; the latest first."""
    tools: _Tools = field(kw_only=True)
    processes: list[ProcessPair] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.processes.append(ProcessPair(self.start_s))

    def measure(self) -> None:
        while self.stages and self.seconds >= self.stages[-1][0]:
            self.tools.run(self.stages.pop()[1])
        before_s, count = self.seconds, len(self.by_process[-1])
        super().measure()
        log_ratio = self.by_process[-1][-1] if len(self.by_process[-1]) > count else None
        self.processes[-1].pairs.append((log_ratio, self.seconds - before_s))

    def renew(self) -> None:
        super().renew()
        self.processes.append(ProcessPair(self.start_s))


@dataclass
class _Tools:
    """Starter of the processes of the stages."""

    suite_run: SuiteRun
    variants: dict[Side, str]
    queries: Sequence[Sequence[int]]
    runs: dict[str, list[ToolRun]] = field(default_factory=dict)

    def run(self, stage: Stage) -> None:
        self.runs[stage.name] = [self._run(side, stage.least_s) for side in stage.order]

    def _run(self, side: Side, least_s: float) -> ToolRun:
        start = perf_counter()
        worker = self.suite_run.workers.started(self.variants[side], threads=1)
        try:
            start_s = perf_counter() - start
            query_ns = worker.run(self.queries, least_ns=round(least_s * 1e9)).query_ns
        finally:
            worker.close()
        size = len(self.queries)
        return ToolRun(
            side, start_s, [sum(query_ns[i : i + size]) for i in range(0, len(query_ns), size)]
        )


def record(
    address: SuiteAddress,
    variant: str,
    slowdown: float,
    settings: Settings,
    budget_s: float = BUDGET_S,
    stages: Sequence[Stage] = STAGES,
) -> Minute:
    """Measure a variant against itself or a slower copy, for all rules.

    Parameters
    ----------
    address : SuiteAddress
        The suite.
    variant : str
        The id of the variant, which is run with one thread.
    slowdown : float
        The slowdown of the copy, as a fraction of the model's time.
    settings : Settings
        Settings of the run. Their seed draws the inputs and the times of the stages.
    budget_s : float
        Measuring time of the pairs, in seconds.
    stages : sequence of Stage
        The processes of the tools.
    """
    suite = address.load()
    same = suite.variant(variant)
    other = (
        Slowed(same, by=slowdown, model=same.model, threads=same.threads, id=_OTHER)
        if slowdown
        else replace(same, id=_OTHER)
    )
    suite_run = SuiteRun(
        ConfiguredSuite(suite.with_variants([other]), address, variant),
        replace(settings, threads=1),
        Policy(),
        ArtifactCache(settings.cache, lambda notice: None),
        selected=[_OTHER],
        report_progress=lambda variant, what: None,
    )
    rng = random.Random(settings.seed)
    try:
        baseline, later = suite_run.beside_baseline(_OTHER)
        inputs = rng.sample(suite_run.numbers, min(PASS_INPUTS, len(suite_run.numbers)))
        tools = _Tools(suite_run, {"base": variant, "head": _OTHER}, [[n] for n in inputs])
        times = sorted((rng.uniform(0, budget_s) for _ in stages), reverse=True)
        pairs = _RecordedPairs(
            baseline,
            later,
            endless_order(suite_run.numbers, settings.seed),
            rng,
            stages=[*zip(times, rng.sample(list(stages), len(stages)), strict=True)],
            tools=tools,
        )
        measure_ratio(
            "regression",
            pairs,
            budget=Budget(budget_s),
            confidence=Policy().confidence,
            remaining=lambda measured: math.inf,
        )
        for _, stage in reversed(pairs.stages):
            tools.run(stage)
    finally:
        suite_run.close()
    return Minute(slowdown, pairs.processes, tools.runs)


def save(path: Path, host: dict[str, str], minutes: Sequence[Minute]) -> None:
    """Write recorded minutes and the host's description to a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"schema": SCHEMA, "host": host, "minutes": [*map(asdict, minutes)]}
    path.write_text(json.dumps(document, separators=(",", ":")), "utf-8")


def load(path: Path) -> tuple[dict[str, str], list[Minute]]:
    """Return the host's description and the recorded minutes of a JSON file.

    Raises
    ------
    ValueError
        If the file is not a recording.
    """
    document = json.loads(path.read_text("utf-8"))
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not a recording of schema {SCHEMA}")
    return document["host"], [*map(_minute, document["minutes"])]


def _minute(fields: dict[str, Any]) -> Minute:
    return Minute(
        fields["slowdown"],
        [
            ProcessPair(process["start_s"], [(d, seconds) for d, seconds in process["pairs"]])
            for process in fields["processes"]
        ],
        {name: [ToolRun(**run) for run in runs] for name, runs in fields["runs"].items()},
    )


def schedule(runs: int, seed: int) -> Iterator[float]:
    """Yield the slowdowns of `runs` rounds, each round in random order."""
    rng = random.Random(seed)
    for _ in range(runs):
        yield from rng.sample(SLOWDOWNS, len(SLOWDOWNS))


def expected_s(budget_s: float = BUDGET_S, start_s: float = 1.0) -> float:
    """Return the expected duration of a recorded minute, in seconds.

    Parameters
    ----------
    budget_s : float
        Measuring time of the pairs, in seconds.
    start_s : float
        Time of starting a process, in seconds.
    """
    return budget_s + sum(len(stage.order) * (start_s + stage.least_s) for stage in STAGES)
