"""How often verdicts on a ratio are wrong, right and late, on simulated hosts.

The code that measures and judges is that of a run; only the times are drawn at random.
`python -m bench calibration` prints the table of docs/method.md.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import get_args

import numpy as np

from bench.finding import Finding
from bench.simulated_hosts import Host, Noise, SimulatedPairs
from pytest_infperf.measure.paired import measure_regression
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats.processes import CAUTIOUS, Prior

MARGIN = 0.02
CONFIDENCE = 0.99
RUNS = 4000
TRUTHS = (-0.05, 0.0, MARGIN - 0.01, MARGIN, MARGIN + 0.01, 0.05)
"""The true regressions, as fractions."""
BUDGETS_S = (20.0, 40.0)
HOSTS = tuple(
    Host(pair, process, noise)
    for pair, process, noise in product(
        (0.01, 0.05, 0.15), (0.0, 0.005, 0.01, 0.02), get_args(Noise)
    )
)


@dataclass(frozen=True)
class Cell:
    """Runs on one host with one true regression."""

    host: Host
    truth: float
    """The true regression, as a fraction."""
    budget_s: float
    prior: Prior = CAUTIOUS


@dataclass(frozen=True)
class Outcome:
    """Shares of the verdicts of the runs of a cell, and the median of their seconds."""

    passed: float
    failed: float
    covered: float
    """Share of the last intervals that contain the true regression."""
    seconds: float

    @property
    def undecided(self) -> float:
        return 1 - self.passed - self.failed


def play(cell: Cell, runs: int, seed: int = 0) -> Outcome:
    """Measure and judge a simulated regression many times.

    Parameters
    ----------
    cell : Cell
        The host, the true regression, the budget and the prior.
    runs : int
        Number of runs.
    seed : int
        Seed of the random numbers.
    """
    rng = np.random.default_rng([seed, round(1e4 * (cell.truth + 1)), round(cell.budget_s)])
    verdicts: Counter[str] = Counter()
    covered, seconds = 0, []
    for _ in range(runs):
        pairs = SimulatedPairs(cell.host, math.log1p(cell.truth), rng)
        measured = measure_regression(
            pairs,
            budget_s=cell.budget_s,
            confidence=CONFIDENCE,
            decided=lambda measured: _verdict(measured) != "undecided",
            prior=cell.prior,
        )
        verdicts[_verdict(measured)] += 1
        low, high = _bounds(measured)
        covered += low <= cell.truth <= high
        seconds.append(pairs.seconds)
    return Outcome(
        verdicts["passed"] / runs, verdicts["failed"] / runs, covered / runs, median(seconds)
    )


def _bounds(measured: Measured) -> tuple[float, float]:
    measure = measured.measures["regression"]
    assert measure.low is not None
    assert measure.high is not None
    return measure.low, measure.high


def _verdict(measured: Measured) -> str:
    low, high = _bounds(measured)
    return "passed" if high <= MARGIN else "failed" if low > MARGIN else "undecided"


def play_all(cells: Sequence[Cell], runs: int) -> Iterator[tuple[Cell, Outcome]]:
    """Yield the outcome of each cell, computed on all cores."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from zip(cells, pool.map(play, cells, [runs] * len(cells)), strict=True)


def table(runs: int = RUNS) -> Iterator[str]:
    """Yield the lines of the table in docs/method.md."""
    cells = [Cell(host, truth, 40.0) for host in HOSTS for truth in TRUTHS]
    outcomes = dict(play_all(cells, runs))
    yield (
        "| pair noise, between processes | wrong at the limit: failed, passed | equal code passed "
        "| 5 % found | 1 % below the limit passed | 1 % above it failed | seconds: equal, 5 % |"
    )
    yield "|---|---|---|---|---|---|---|"
    for host in HOSTS:
        at = {truth: outcomes[Cell(host, truth, 40.0)] for truth in TRUTHS}
        limit = at[MARGIN]
        yield (
            f"| {host} | {limit.failed:.2%}, {limit.passed:.2%} | {at[0.0].passed:.1%} "
            f"| {at[0.05].failed:.1%} | {at[MARGIN - 0.01].passed:.1%} "
            f"| {at[MARGIN + 0.01].failed:.1%} | {at[0.0].seconds:.0f}, {at[0.05].seconds:.0f} |"
        )


def findings() -> Iterator[Finding]:
    raise NotImplementedError
