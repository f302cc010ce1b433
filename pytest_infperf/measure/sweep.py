"""A sweep of one parameter: each round measures every value once, in random order.

The growth of the time is the exponent b of t = a x^b over the whole range: 1 is linear, 0 is
constant. Each round gives one slope of ln t over ln x by least squares. The estimate of b and its
interval are computed as for paired ratios (see `stats.ratio`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, isfinite, log
from time import perf_counter

from pytest_infperf import errors
from pytest_infperf.measure.times import time_measures
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import GROWTH, at, point
from pytest_infperf.stats import ratio, sequential
from pytest_infperf.suite.suite import Sweep
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_BLOCK_NS = 20_000_000
_FIRST_LOOK = 12
"""Minimum number of rounds for an interval of the slope at a confidence of 0.99."""

Decided = Callable[[Sequence[Measured]], bool]
"""Returns whether the measures decide every gate."""


@dataclass
class SweepPoint:
    """One value of a sweep, and its queries."""

    sweep: Sweep
    value: int
    worker: VariantWorker
    query_ns: list[int] = field(default_factory=list)
    round_ns: list[float] = field(default_factory=list)
    """The mean time of a query in each round, in nanoseconds."""

    @property
    def name(self) -> str:
        return point(self.sweep.parameter, self.value)

    @property
    def batch(self) -> int:
        return self.value if self.sweep.parameter == "batch" else 1

    def measure(self, order: Iterator[int]) -> None:
        """Measure one block."""
        mean_ns = self.round_ns[-1] if self.round_ns else _BLOCK_NS
        queries = [
            [next(order) for _ in range(self.batch)]
            for _ in range(max(1, ceil(_BLOCK_NS / mean_ns)))
        ]
        length = self.value if self.sweep.parameter == "length" else None
        block = self.worker.run(queries, length=length)
        self.query_ns += block.query_ns
        self.round_ns.append(sum(block.query_ns) / len(block.query_ns))

    def measured(self, percentiles: Iterable[str], confidence: float) -> Measured:
        times = [ns / 1e9 for ns in self.query_ns]
        values = time_measures(times, percentiles, confidence)
        mean = values["latency_mean"]
        values["throughput"] = Measure(
            self.batch / mean.value,
            "samples/s",
            self.batch / mean.high if mean.high else None,
            self.batch / mean.low if mean.low else None,
            mean.n,
        )
        return Measured(
            {at(name, self.name): measure for name, measure in values.items()},
            times_s=times,
            confidence=confidence,
            seconds=sum(times),
        )


def measure_sweep(
    points: Sequence[SweepPoint],
    order: Iterator[int],
    *,
    percentiles: Iterable[str],
    budget_s: float,
    confidence: float,
    seed: int,
    decided: Decided,
) -> list[Measured]:
    """Measure all points until all gates are decided or the budget is spent.

    The gates are evaluated after 12, 24, 48 ... rounds, and the error is shared by these looks.

    Parameters
    ----------
    points : sequence of SweepPoint
        The values of the parameter, each with its worker.
    order : iterator of int
        The numbers of the samples, in the order in which they are run.
    percentiles : iterable of str
        Measures such as `latency_p75`, in addition to the percentiles that are always reported.
    budget_s : float
        Measuring time, in seconds.
    confidence : float
        The confidence of intervals.
    seed : int
        The seed of the order of points.
    decided : callable
        Returns whether the measures decide every gate.

    Returns
    -------
    list of Measured
        One part for each point, followed by the growth.
    """
    turns, rng = list(points), random.Random(seed)
    start = perf_counter()

    def rounds_until(count: int) -> None:
        while len(points[0].round_ns) < count and (
            len(points[0].round_ns) < _FIRST_LOOK or perf_counter() - start < budget_s
        ):
            rng.shuffle(turns)
            for p in turns:
                p.measure(order)

    rounds_until(_FIRST_LOOK)
    looks, share = sequential.plan(
        _FIRST_LOOK, perf_counter() - start, budget_s, budget_s, confidence
    )
    for look in looks:
        rounds_until(look)
        parts = [p.measured(percentiles, share) for p in points]
        parts.append(_growth(points, share, perf_counter() - start))
        if decided(parts) or perf_counter() - start >= budget_s:
            break
    return parts


def _growth(points: Sequence[SweepPoint], confidence: float, seconds: float) -> Measured:
    x = [log(p.value) for p in points]
    centre = sum(x) / len(x)
    weights = [(value - centre) for value in x]
    spread = sum(weight * weight for weight in weights)
    slopes = [
        sum(w * log(ns) for w, ns in zip(weights, times, strict=True)) / spread
        for times in zip(*(p.round_ns for p in points), strict=True)
    ]
    low, high = ratio.signed_rank_interval(slopes, confidence)
    measure = Measure(
        ratio.hodges_lehmann(slopes),
        "",
        low if isfinite(low) else None,
        high if isfinite(high) else None,
        len(slopes),
    )
    name = at(GROWTH, points[0].sweep.parameter)
    return Measured({name: measure}, confidence=confidence, seconds=seconds)
