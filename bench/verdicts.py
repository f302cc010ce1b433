"""How often the verdict on a paired ratio is right: A/A runs, and a real slowdown of 5 %.

The real runs compare two workers with the same artifact, or a worker with one whose queries all
take 5 % longer, each with new processes and a full budget. The stopping rule is then replayed on
their pairs, and on simulated runs: the pairs of a real run in their order, from a random start.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import stdev

from bench.finding import Finding
from pytest_infperf.backends.fake import Slowed
from pytest_infperf.gates.judge import judge
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import measure_speedup
from pytest_infperf.records.catalogue import Catalogue
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
REAL_RUNS = 20
SIMULATED_RUNS = 200


@dataclass
class Recorded:
    """The pairs of an earlier run, replayed as if they were measured now."""

    source: Sequence[Sequence[float]]
    """Log ratios of the earlier run's pairs, by pair of processes."""
    pair_s: float
    """Measuring time of a pair, in seconds, with its share of starting processes."""
    start_s: float = 0.0
    by_process: list[list[float]] = field(default_factory=lambda: [[]])
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
    estimate: float
    """Speed-up of the second worker."""

    def replay(self, start: int = 0) -> Recorded:
        """Return the run's pairs, from those of the process `start` round to the one before."""
        rotated = [*self.by_process[start:], *self.by_process[:start]]
        return Recorded(rotated, self.seconds / sum(map(len, rotated)))


def findings() -> Iterator[Finding]:
    same = _real_runs(0.0)
    yield Finding(
        "A/A: standard deviation of the ratio in 10 s",
        100 * stdev(run.estimate for run in same),
        "%",
        limit=0.5,
        detail=f"{REAL_RUNS} runs of {VARIANT} against itself, each in new processes",
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
    return [RealRun(run.by_process, run.measured.seconds, 1 / (1 + run.offset)) for run in runs]


def _verdicts(runs: list[RealRun]) -> Iterator[tuple[str, list[tuple[Verdict, float]]]]:
    """Yield the kind of runs, and the verdict and the seconds of each run."""
    yield f"{len(runs)} real runs", [_verdict(run.replay()) for run in runs]
    rng = random.Random(0)
    simulated = []
    for i in range(SIMULATED_RUNS):
        run = runs[i % len(runs)]
        simulated.append(_verdict(run.replay(rng.randrange(len(run.by_process)))))
    yield f"{SIMULATED_RUNS} simulated runs", simulated


def _verdict(pairs: Recorded) -> tuple[Verdict, float]:
    """Return the verdict on `speedup >= 1 / (1 + MARGIN)`, and the seconds that it took."""
    spec = Catalogue().get("speedup")
    assert spec
    limit = Limit("min", 1 / (1 + MARGIN), f"min = {1 / (1 + MARGIN):.4f}")
    gate = Gate(spec, limit, "bench", CONFIDENCE, "fail")

    measured = measure_speedup(
        pairs,
        budget=Budget(BUDGET_S),
        confidence=CONFIDENCE,
        remaining=seconds_to_decide([gate]),
    )
    return judge(gate, measured).verdict, pairs.seconds


def _describe(verdicts: list[tuple[Verdict, float]]) -> str:
    counts = {verdict: sum(v is verdict for v, _ in verdicts) for verdict in Verdict}
    times = sorted(seconds for _, seconds in verdicts)
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{text}; decided after {times[len(times) // 2]:.1f} s, at most {times[-1]:.1f} s"
