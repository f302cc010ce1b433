"""How often verdicts on a ratio are wrong, right and late, on simulated hosts.

The code that measures and judges is that of a run; only the times are drawn at random.
`python -m bench calibration` writes docs/calibration.md.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Literal, get_args

import numpy as np

from bench.finding import Finding
from bench.simulated_hosts import Host, Noise, SimulatedPairs
from pytest_infperf.gates.judge import judge
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import measure_ratio
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.record import Verdict
from pytest_infperf.run.context import seconds_to_decide
from pytest_infperf.stats.processes import CAUTIOUS, Prior
from pytest_infperf.thresholds.gate import Gate, Limit

PAGE = Path(__file__).parents[1] / "docs" / "calibration.md"
MARGIN = 0.02
CONFIDENCE = 0.99
RUNS = 4000
TRUTHS = (-0.05, 0.0, MARGIN - 0.01, MARGIN, MARGIN + 0.01, 0.05)
"""The true regressions, as fractions."""
BUDGET = Budget(own_s=20.0, more_s=20.0)
HOSTS = tuple(
    Host(pair, process, noise)
    for noise, pair, process in product(
        get_args(Noise), (0.01, 0.05, 0.15), (0.0, 0.005, 0.01, 0.02)
    )
)
_SPEC = Catalogue().get("regression")
assert _SPEC
GATE = Gate(_SPEC, Limit("max", MARGIN, f'max = "{MARGIN:.0%}"'), "bench", CONFIDENCE, "fail")


@dataclass(frozen=True)
class Cell:
    """Runs on one host with one true regression."""

    host: Host
    truth: float
    """The true regression, as a fraction."""
    budget: Budget = BUDGET
    prior: Prior = CAUTIOUS


@dataclass(frozen=True)
class Outcome:
    """Fractions of the verdicts of the runs of a cell, and the median of their seconds."""

    passed: float
    failed: float
    covered: float
    """Fraction of the last intervals that contain the true regression."""
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
    rng = np.random.default_rng([seed, round(1e4 * (cell.truth + 1))])
    verdicts: Counter[Verdict] = Counter()
    covered, seconds = 0, []
    for _ in range(runs):
        pairs = SimulatedPairs(cell.host, math.log1p(cell.truth), rng)
        measured = measure_ratio(
            "regression",
            pairs,
            budget=cell.budget,
            confidence=CONFIDENCE,
            remaining=seconds_to_decide([GATE]),
            prior=cell.prior,
        )
        verdicts[judge(GATE, measured).verdict] += 1
        measure = measured.measures["regression"]
        assert measure.low is not None
        assert measure.high is not None
        covered += measure.low <= cell.truth <= measure.high
        seconds.append(pairs.seconds)
    return Outcome(
        verdicts[Verdict.PASS] / runs,
        verdicts[Verdict.FAIL] / runs,
        covered / runs,
        median(seconds),
    )


def play_all(cells: Sequence[Cell], runs: int) -> dict[Cell, Outcome]:
    """Return the outcome of each cell, computed on all cores."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(cells, pool.map(play, cells, [runs] * len(cells)), strict=True))


def findings() -> Iterator[Finding]:
    """Simulate every cell, write the page, and yield the worst cells."""
    outcomes = play_all([Cell(host, truth) for host in HOSTS for truth in TRUTHS], RUNS)
    PAGE.write_text(page(outcomes), encoding="utf-8")
    yield _worst("wrong fails at the limit", outcomes, HOSTS, MARGIN, "failed", at_most=1)
    yield _worst("wrong passes at the limit", outcomes, HOSTS, MARGIN, "passed", at_most=1)
    usual = [host for host in HOSTS if host.is_usual]
    yield _worst("equal code passed", outcomes, usual, 0.0, "passed", at_least=95)
    yield _worst("5 % slowdown found", outcomes, usual, 0.05, "failed", at_least=99)


def _worst(
    quantity: str,
    outcomes: Mapping[Cell, Outcome],
    hosts: Sequence[Host],
    truth: float,
    share: Literal["passed", "failed"],
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Finding:
    """Return the fraction of a verdict on the worst host."""
    shares = {host: 100 * getattr(outcomes[Cell(host, truth)], share) for host in hosts}
    worst = (max if at_least is None else min)(hosts, key=shares.__getitem__)
    limit = at_most if at_least is None else at_least
    assert limit is not None
    return Finding(
        f"{quantity} within {BUDGET.most_s:g} s, worst of {len(hosts)} hosts",
        shares[worst],
        "%",
        limit=limit,
        at_least=at_least is not None,
        detail=f"{worst}; {RUNS} runs",
    )


def page(outcomes: Mapping[Cell, Outcome]) -> str:
    """Return docs/calibration.md."""
    rows = [_COLUMNS, ["---"] * len(_COLUMNS), *_rows(outcomes)]
    return "\n".join([*_HEAD, *(f"| {' | '.join(row)} |" for row in rows), ""])


_HEAD = f"""\
# How often a verdict on a ratio is wrong

`python -m bench calibration` writes this page. It runs the code that measures and judges on
simulated hosts, with {RUNS:,} runs for each host and each true difference. The limit is
`regression = {{ max = "{MARGIN:.0%}" }}`, at a confidence of {CONFIDENCE}. A test has a budget of
{BUDGET.own_s:g} s and can draw {BUDGET.more_s:g} s from the reserve of the run. A pair takes
{HOSTS[0].pair_s:g} s, and starting a pair of processes takes {HOSTS[0].start_s:g} s. The prior is
the default one. [verdicts.md](verdicts.md) describes the rule, and `bench/simulated_hosts.py`
defines the hosts.

- **noise**: how pairs vary.
- **pairs, processes**: standard deviations of the ratio, of pairs within a pair of processes and
  between pairs of processes.
- **wrong at the limit**: percentages of runs that fail, and that pass, if the code is slower by
  exactly the limit. Both verdicts are wrong. The other runs are inconclusive, which is correct.
- **covered**: percentage of these runs whose interval contains the true ratio.
- **-5 %** to **+5 %**: percentages of passes, fails and inconclusive verdicts for code whose time
  differs by -5 %, 0, the limit minus 1 %, the limit plus 1 %, and 5 %.
- **s**: median measuring times in seconds, of equal code and of code that is 5 % slower.

""".splitlines()
_COLUMNS = (
    "noise",
    "pairs, processes",
    "wrong at the limit",
    "covered",
    "-5 %",
    "equal",
    "limit - 1 %",
    "limit + 1 %",
    "+5 %",
    "s",
)


def _rows(outcomes: Mapping[Cell, Outcome]) -> Iterator[Sequence[str]]:
    for host in HOSTS:
        at = {truth: outcomes[Cell(host, truth)] for truth in TRUTHS}
        limit = at[MARGIN]
        others = [_verdicts(at[truth]) for truth in TRUTHS if truth != MARGIN]
        yield [
            host.noise,
            f"{100 * host.pair_noise:g} %, {100 * host.process_noise:g} %",
            f"{100 * limit.failed:.2f}, {100 * limit.passed:.2f} %",
            f"{100 * limit.covered:.1f} %",
            *others,
            f"{at[0.0].seconds:.0f}, {at[0.05].seconds:.0f}",
        ]


def _verdicts(outcome: Outcome) -> str:
    shares = (outcome.passed, outcome.failed, outcome.undecided)
    return " / ".join(f"{100 * share:.3g}" for share in shares)
