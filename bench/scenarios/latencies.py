"""Percentiles of the latency of single queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import repeat
from typing import Any, cast
from unittest import mock

from bench.scenarios.scenario import (
    BURSTS,
    CONFIDENCE,
    HEAVY,
    INDEPENDENT,
    NEIGHBOURS,
    Run,
    Scenario,
    gate,
    holds,
)
from bench.simulated_times import Random, Series, Times
from pytest_infperf.gates.judge import judge
from pytest_infperf.measure import latency
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.latency import measure_latency
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Verdict
from pytest_infperf.run.context import seconds_to_decide
from pytest_infperf.worker.messages import BlockDone
from pytest_infperf.worker.variant_worker import VariantWorker

QUERY_S = 0.02
FAST_QUERY_S = 0.002
_EVERY = 8
"""One of this number of runs is also judged by limits 10 % from the truth."""


@dataclass
class SimulatedWorker:
    """A worker whose queries take the times of a series, with a simulated clock."""

    series: Series
    query_s: float = QUERY_S
    now_s: float = 0.0
    first_query_s: float = 0.1
    load_s: float = 1.0

    def run(self, queries: Sequence[Any], length: int | None = None, **_: object) -> BlockDone:
        seconds = self.query_s * self.series.draw(len(queries))
        times = (1e9 * seconds).astype(int).tolist()
        self.now_s += float(seconds.sum())
        wall = sum(times)
        return BlockDone(times, times, wall, wall, 0, None)

    def clock(self) -> float:
        return self.now_s


def _percentile(rng: Random, *, times: Times, p: float, query_s: float = QUERY_S) -> Run:
    name, truth = f"latency_p{100 * p:g}", query_s * _true_percentile(times, p)

    def verdict(limit: float) -> tuple[Verdict, Measured]:
        worker = SimulatedWorker(Series(times, rng), query_s)
        gates = [gate(name, "max", limit)]
        with mock.patch.object(latency, "perf_counter", worker.clock):
            measured, _ = measure_latency(
                cast(VariantWorker, worker),
                repeat(0),
                lambda number: None,
                percentiles=[name],
                budget=Budget(1000 * query_s),
                confidence=CONFIDENCE,
                remaining=seconds_to_decide(gates),
            )
        return judge(gates[0], measured).verdict, measured

    at, measured = verdict(truth)
    covers = holds(measured.measures[name], truth)
    if rng.integers(_EVERY):
        return Run(at, covers=covers)
    return Run(at, verdict(1.1 * truth)[0], verdict(0.9 * truth)[0], covers)


_true_percentile = cache(Times.percentile)


def scenarios() -> Iterator[Scenario]:
    for p in (0.5, 0.9, 0.99):
        for case, times, bar, query_s in (
            ("independent", INDEPENDENT, 1.0, QUERY_S),
            ("heavy tail", HEAVY, 1.0, QUERY_S),
            ("correlated over 10 queries", NEIGHBOURS, 3.0, FAST_QUERY_S),
            ("bursts of 10 queries, every 100", BURSTS, 5.0, FAST_QUERY_S),
        ):
            simulate = partial(_percentile, times=times, p=p, query_s=query_s)
            if (times, p) == (BURSTS, 0.9):  # as many queries are in bursts as may be over it
                bar = 8.0
            yield Scenario(f"latency_p{100 * p:g}", case, simulate, 400, bar)
