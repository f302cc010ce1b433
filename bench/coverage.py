"""How often each verdict is wrong, and the coverage of each interval; for ratios, see `verdicts`.

The code that measures and judges is that of a run; only times, answers and requests are drawn at
random. The truth equals the limit, which is the hardest case: only "inconclusive" is correct, and a
pass or a fail is wrong. The limit on the fraction of wrong verdicts is 1 %, plus an allowance for
chance in that many runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy as np

from bench.finding import Finding
from bench.scenarios import growth, histories, latencies, loads, quality, throughputs
from bench.scenarios.scenario import Run, Scenario

_SEED = 20
_CHUNK = 25
"""Number of runs that a process simulates at once."""
_KINDS = (latencies, throughputs, quality, growth, histories, loads)


def findings() -> Iterator[Finding]:
    """Simulate all scenarios on all cores except one, but on at least two."""
    scenarios = all_scenarios()
    with ProcessPoolExecutor(max(2, (os.cpu_count() or 2) - 1)) as pool:
        futures = [
            [
                pool.submit(runs_of, number, first, min(first + _CHUNK, scenario.runs))
                for first in range(0, scenario.runs, _CHUNK)
            ]
            for number, scenario in enumerate(scenarios)
        ]
        for scenario, parts in zip(scenarios, futures, strict=True):
            yield from scenario.findings([run for part in parts for run in part.result()])


def runs_of(scenario: int, first: int, end: int) -> list[Run]:
    """Return some runs of a scenario, each with its own seed."""
    simulate = all_scenarios()[scenario].simulate
    return [simulate(np.random.default_rng([_SEED, scenario, run])) for run in range(first, end)]


@cache
def all_scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios in the order of the table."""
    return tuple(scenario for kind in _KINDS for scenario in kind.scenarios())
