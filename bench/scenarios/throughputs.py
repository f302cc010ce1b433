"""Throughput and its cost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

from bench.scenarios.scenario import (
    BURSTS,
    CONFIDENCE,
    INDEPENDENT,
    NEIGHBOURS,
    Run,
    Scenario,
    judged,
)
from bench.simulated_times import Random, Series, Times
from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.measure.throughput import SetRun, throughput
from pytest_infperf.records.measured import Measured

BATCH = 32
_true_mean = cache(Times.mean)


def _throughput(rng: Random, *, times: Times, batches: int, cost: bool = False) -> Run:
    seconds = Series(times, rng).draw(batches).tolist()
    numbers = range(BATCH * batches)
    measured = throughput(SetRun(numbers, numbers, [BATCH] * batches, seconds), CONFIDENCE)
    truth = BATCH / _true_mean(times)
    if not cost:
        return judged(measured, "throughput", truth, "min")
    usd_per_hour = 3.6
    price = cost_per_million(measured.measures["throughput"], usd_per_hour)
    paid = Measured({"cost_per_million": price})
    return judged(paid, "cost_per_million", usd_per_hour / 3600 * 1e6 / truth, "max")


def scenarios() -> Iterator[Scenario]:
    for batches, case, times, bar in (
        (13, "independent", INDEPENDENT, 1.0),
        (60, "independent", INDEPENDENT, 1.0),
        (60, "correlated over 2 batches", Times("correlated", 0.5), 2.0),
        (200, "correlated over 10 batches", NEIGHBOURS, 3.0),
        (1000, "bursts of 10 batches, every 100", BURSTS, 3.0),
    ):
        simulate = partial(_throughput, times=times, batches=batches)
        yield Scenario("throughput", f"{batches} batches, {case}", simulate, 4000, bar)
    cost = partial(_throughput, times=INDEPENDENT, batches=60, cost=True)
    yield Scenario("cost_per_million", "60 batches, independent", cost, 4000)
