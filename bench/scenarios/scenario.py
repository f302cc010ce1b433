"""One kind of verdict under one kind of noise, and how its runs are judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from scipy import stats

from bench.finding import Finding
from bench.simulated_times import Random, Times
from pytest_infperf.gates.judge import judge
from pytest_infperf.records.catalogue import Catalogue, LimitRule, quality_spec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Verdict
from pytest_infperf.thresholds.gate import Gate, Limit

CONFIDENCE = 0.99
BUDGET_S = 20.0
_CHANCE = 0.999
"""Probability that a series of runs is within the limit if the error is 1 %."""

_CATALOGUE = Catalogue(
    tuple(quality_spec(name, "points", True) for name in ("accuracy", "f1", "bleu")),
    {"rate=50": "load", "rate=80": "load", "Server": "load"},
    ["batch"],
)

INDEPENDENT = Times("independent")
HEAVY = Times("heavy")
NEIGHBOURS = Times("correlated", 0.9)
BURSTS = Times("bursts")


@dataclass(frozen=True)
class Run:
    """The verdicts of one simulated run, and whether its interval contains the truth."""

    at: Verdict
    """The verdict if the truth is the limit."""
    under: Verdict | None = None
    """The verdict if the truth is better than the limit, by 10 % or as the scenario defines."""
    over: Verdict | None = None
    """The verdict if the truth is worse than the limit."""
    covers: bool | None = None
    """Whether the interval contains the truth; None without an interval."""


@dataclass(frozen=True)
class Scenario:
    """One kind of verdict under one kind of noise."""

    kind: str
    case: str
    simulate: Callable[[Random], Run]
    runs: int
    bar: float = 1.0
    """The allowed fraction of wrong verdicts, in per cent."""

    @property
    def limit(self) -> float:
        """Return the limit on the share of errors with an allowance for chance, in percent."""
        return 100 * float(stats.binom.ppf(_CHANCE, self.runs, self.bar / 100)) / self.runs

    def findings(self, runs: Sequence[Run]) -> Iterator[Finding]:
        """Yield the fraction of wrong verdicts, and the fraction of intervals without the truth."""
        at = Counter(run.at for run in runs)
        detail = [f"{count} {verdict} at the limit" for verdict, count in sorted(at.items())]
        for name in ("under", "over"):
            verdicts = Counter(verdict for run in runs if (verdict := getattr(run, name)))
            if total := verdicts.total():
                shares = ", ".join(
                    f"{v} {100 * n / total:.3g} %" for v, n in sorted(verdicts.items())
                )
                detail.append(f"{'better' if name == 'under' else 'worse'}: {shares}")
        wrong = max(at[Verdict.PASS], at[Verdict.FAIL])
        yield self._finding("wrong at the limit", wrong, len(runs), "; ".join(detail))
        intervals = [run.covers for run in runs if run.covers is not None]
        if intervals:
            missed = intervals.count(False)
            without = f"{len(runs) - len(intervals)} without an interval"
            yield self._finding("intervals without the truth", missed, len(runs), without)

    def _finding(self, what: str, count: int, runs: int, detail: str) -> Finding:
        name = f"{self.kind}, {self.case}: {what}"
        return Finding(name, 100 * count / runs, "%", self.limit, detail=f"{runs} runs; {detail}")


def gate(measure: str, rule: LimitRule, value: float) -> Gate:
    spec = _CATALOGUE.get(measure)
    assert spec
    return Gate(spec, Limit(rule, value, f"{rule} = {value:g}"), "bench", CONFIDENCE, "fail")


def holds(measure: Measure, truth: float) -> bool | None:
    if measure.low is None and measure.high is None:
        return None
    low, high = measure.low, measure.high
    return (low is None or low <= truth) and (high is None or truth <= high)


def judged(measured: Measured, measure: str, truth: float, rule: LimitRule) -> Run:
    """Return the verdicts on limits at the truth, and 10 % below and above it."""
    better, worse = (0.9, 1.1) if rule == "min" else (1.1, 0.9)
    at, under, over = (
        judge(gate(measure, rule, factor * truth), measured).verdict
        for factor in (1.0, better, worse)
    )
    return Run(at, under, over, holds(measured.measures[measure], truth))
