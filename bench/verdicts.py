"""How often the verdict on a paired ratio is right: A/A runs, and a real slowdown of 5 %.

The real runs compare two workers with the same artifact, or a worker with one whose queries all
take 5 % longer, each with new processes and a full budget. The stopping rule is then replayed on
their pairs, and on longer runs with a pooled budget. These consist of the processes of successive
real runs with their pairs in order, from a random start.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev

from bench.finding import Finding
from pytest_infperf.backends.fake import Slowed
from pytest_infperf.gates.judge import judge
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import measure_ratio
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Verdict
from pytest_infperf.run.calibration import aa_runs
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.context import seconds_to_decide
from pytest_infperf.settings import Settings
from pytest_infperf.suite.backend import Backend
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.thresholds import Policy
from pytest_infperf.thresholds.gate import Gate, Limit

ROOT = Path(__file__).parents[1]
SUITE = SuiteAddress(str(ROOT), "suites.translation.suite")
VARIANT = "distilled-fastest"
BUDGET_S = 10.0
MARGIN = 0.02
SLOWDOWN = 0.05
CONFIDENCE = 0.99
REAL_RUNS = 100
POOLED = Budget(own_s=20.0, more_s=20.0)
POOLED_RUNS = 200


@dataclass
class Recorded:
    """The pairs of an earlier run, replayed as if they were measured now."""

    source: Sequence[Sequence[float]]
    """Log ratios of the earlier run's pairs, by pair of processes."""
    pair_s: float
    """Measuring time of a pair, in seconds, with its share of starting processes."""
    start_s: float = 0.0
    by_process: list[list[float]] = field(default_factory=lambda: [[]])
    token_ratios: dict[str, list[list[float]]] = field(default_factory=dict)
    seconds: float = 0.0

    def measure(self) -> None:
        process = len(self.by_process) - 1
        if len(self.by_process[-1]) == len(self.source[process % len(self.source)]):
            self.by_process.append([])
            process += 1
        pairs = self.source[process % len(self.source)]
        self.by_process[-1].append(pairs[len(self.by_process[-1])])
        self.seconds += self.pair_s

    def renew(self) -> None:
        """Do nothing: processes change where they did in the earlier run."""


@dataclass(frozen=True)
class RealRun:
    by_process: Sequence[Sequence[float]]
    seconds: float
    regression: Measure
    """The regression at the last look."""

    @property
    def pair_s(self) -> float:
        """Measuring time of a pair, in seconds, with its share of starting processes."""
        return self.seconds / sum(map(len, self.by_process))

    def covers(self, truth: float) -> bool:
        """Return whether the interval at the last look contains the true regression."""
        low, high = self.regression.low, self.regression.high
        assert low is not None
        assert high is not None
        return low <= truth <= high


def findings() -> Iterator[Finding]:
    same = _real_runs(0.0)
    yield Finding(
        "A/A: standard deviation of the ratio in 10 s",
        100 * stdev(run.regression.value for run in same),
        "%",
        limit=0.5,
        detail=f"{REAL_RUNS} runs of {VARIANT} against itself, each in new processes",
    )
    yield Finding(
        "A/A: intervals that contain 0",
        100 * sum(run.covers(0.0) for run in same) / len(same),
        "%",
        limit=97,  # by chance, more than 3 of 100 runs are missed in at most 2 % of cases
        at_least=True,
        detail=f"{len(same)} runs of {BUDGET_S:g} s, intervals of the last look",
    )
    for runs, verdicts in _verdicts(same):
        yield Finding(
            f"A/A: false verdicts, 2 % margin, {runs}",
            100 * sum(v is Verdict.FAIL for v, _ in verdicts) / len(verdicts),
            "%",
            limit=1,
            detail=_describe(verdicts),
        )
    slowed = _real_runs(SLOWDOWN)
    for runs, verdicts in _verdicts(slowed):
        yield Finding(
            f"5 % slowdown: found against a 2 % margin, {runs}",
            100 * sum(v is Verdict.FAIL for v, _ in verdicts) / len(verdicts),
            "%",
            limit=99,
            at_least=True,
            detail=_describe(verdicts),
        )


def _real_runs(slowdown: float) -> list[RealRun]:
    """Measure pairs over the whole budget, so that a stopping rule can be replayed on them."""
    suite = SUITE.load()
    same = suite.variant(VARIANT)
    other: Backend = Slowed(same, by=slowdown, model=same.model, threads=same.threads, id="other")
    settings = Settings(ROOT, threads=1, cache=ROOT / ".infperf_cache")
    runs = aa_runs(
        ConfiguredSuite(suite, SUITE, VARIANT),
        other,
        VARIANT,
        settings,
        Policy(),
        BUDGET_S,
        REAL_RUNS,
    )
    return [
        RealRun(run.by_process, run.measured.seconds, run.measured.measures["regression"])
        for run in runs
    ]


def _verdicts(runs: list[RealRun]) -> Iterator[tuple[str, list[tuple[Verdict, float]]]]:
    """Yield the kind of runs, and the verdict and the seconds of each run."""
    own = [_verdict(Recorded(run.by_process, run.pair_s), Budget(BUDGET_S)) for run in runs]
    yield f"{len(runs)} real runs of {BUDGET_S:g} s", own
    rng = random.Random(0)
    processes = [pairs for run in runs for pairs in run.by_process]
    pair_s = mean(run.pair_s for run in runs)
    pooled = []
    for _ in range(POOLED_RUNS):
        start = rng.randrange(len(processes))
        rotated = [*processes[start:], *processes[:start]]
        pooled.append(_verdict(Recorded(rotated, pair_s), POOLED))
    yield f"{POOLED_RUNS} runs of {POOLED.own_s:g} s with {POOLED.more_s:g} s to draw", pooled


def _verdict(pairs: Recorded, budget: Budget) -> tuple[Verdict, float]:
    """Return the verdict on `speedup >= 1 / (1 + MARGIN)`, and the seconds that it took."""
    spec = Catalogue().get("speedup")
    assert spec
    limit = Limit("min", 1 / (1 + MARGIN), f"min = {1 / (1 + MARGIN):.4f}")
    gate = Gate(spec, limit, "bench", CONFIDENCE, "fail")

    measured = measure_ratio(
        "speedup",
        pairs,
        budget=budget,
        confidence=CONFIDENCE,
        remaining=seconds_to_decide([gate]),
    )
    return judge(gate, measured).verdict, pairs.seconds


def _describe(verdicts: list[tuple[Verdict, float]]) -> str:
    counts = {verdict: sum(v is verdict for v, _ in verdicts) for verdict in Verdict}
    times = sorted(seconds for _, seconds in verdicts)
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{text}; decided after {times[len(times) // 2]:.1f} s, at most {times[-1]:.1f} s"
