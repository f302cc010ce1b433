"""The growth of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import repeat
from typing import cast
from unittest import mock

from bench.scenarios.latencies import SimulatedWorker
from bench.scenarios.scenario import (
    CONFIDENCE,
    INDEPENDENT,
    NEIGHBOURS,
    Run,
    Scenario,
    gate,
    holds,
)
from bench.simulated_times import Random, Series, Times
from pytest_infperf.gates.judge import judge
from pytest_infperf.gates.result import is_decided
from pytest_infperf.measure import sweep
from pytest_infperf.measure.sweep import SweepPoint, measure_sweep
from pytest_infperf.suite.suite import Sweep
from pytest_infperf.worker.variant_worker import VariantWorker

_ROUNDS = 48


def _growth(rng: Random, *, times: Times, growth: float) -> Run:
    values = Sweep("batch", [1, 2, 4, 8])
    series = Series(times, rng)
    points = [
        SweepPoint(
            values, value, cast(VariantWorker, SimulatedWorker(series, 0.05 * value**growth))
        )
        for value in values.values
    ]
    workers = [cast(SimulatedWorker, point.worker) for point in points]

    def clock() -> float:
        return sum(worker.now_s for worker in workers)

    name = "growth@batch"
    gates = [gate(name, "max", growth)]
    with mock.patch.object(sweep, "perf_counter", clock):
        parts = measure_sweep(
            points,
            repeat(0),
            percentiles=[],
            budget_s=_ROUNDS * sum(worker.query_s for worker in workers),
            confidence=CONFIDENCE,
            seed=int(rng.integers(2**31)),
            decided=lambda parts: is_decided(parts, gates),
        )
    at, under, over = (
        judge(gate(name, "max", limit), parts[-1]).verdict
        for limit in (growth, 1.1 * growth, 0.9 * growth)
    )
    return Run(at, under, over, holds(parts[-1].measures[name], growth))


def scenarios() -> Iterator[Scenario]:
    for case, times in (("independent", INDEPENDENT), ("correlated over 10 queries", NEIGHBOURS)):
        yield Scenario("growth", case, partial(_growth, times=times, growth=0.9), 1000)
