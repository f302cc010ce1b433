"""Latency: single queries of one variant, on samples in random order, until the gates decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter

from pytest_infperf import errors
from pytest_infperf.measure.blocks import SecondChances
from pytest_infperf.measure.catalogue import REPORTED_PERCENTILES
from pytest_infperf.measure.measured import Measured
from pytest_infperf.record import Measure
from pytest_infperf.stats import bootstrap, quantile, sequential
from pytest_infperf.worker.serving import ServedVariant

__tracebackhide__ = errors.meant_for_the_user

_BLOCK_S = 0.1
_LEAST_QUERIES = 60
_ENOUGH_QUERIES = 459
"""What the 99th percentile needs at a confidence of 0.99."""
_ENOUGH_S = 1.0


@dataclass
class Queries:
    """Single queries as they were measured."""

    query_ns: list[int] = field(default_factory=list)
    model_ns: list[int] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    """CPU seconds, a block each."""
    block_queries: list[float] = field(default_factory=list)
    chances: SecondChances = field(default_factory=SecondChances)
    seconds: float = 0.0

    def measure(self, served: ServedVariant, draw: Iterator[int]) -> None:
        """One more block, of about a tenth of a second."""
        start = perf_counter()
        mean_s = sum(self.query_ns) / len(self.query_ns) / 1e9 if self.query_ns else _BLOCK_S / 2
        count = max(1, ceil(_BLOCK_S / mean_s))
        block = served.run([[next(draw)] for _ in range(count)])
        if self.chances.take(block):
            self.query_ns += block.query_ns
            self.model_ns += block.model_ns
            self.cpu_s.append(block.cpu_ns / 1e9)
            self.block_queries.append(len(block.query_ns))
        self.seconds += perf_counter() - start

    def judged_at(
        self, served: ServedVariant, percentiles: Iterable[str], confidence: float, seed: int
    ) -> Measured:
        times = [ns / 1e9 for ns in self.query_ns]
        model_times = [ns / 1e9 for ns in self.model_ns]
        n = len(times)
        mean_bounds = bootstrap.mean(times, confidence, seed)
        model_bounds = quantile.order_statistic_interval(model_times, 0.5, confidence)
        measures = {
            "latency_mean": Measure(sum(times) / n, "s", *mean_bounds, n),
            "latency_min": Measure(min(times), "s", n=n),
            "latency_max": Measure(max(times), "s", n=n),
            "latency_first": Measure(served.first_query_s, "s"),
            "load_time": Measure(served.load_s, "s"),
            "model_time_p50": Measure(quantile.percentile(model_times, 0.5), "s", *model_bounds, n),
        }
        for name in {*REPORTED_PERCENTILES, *percentiles}:
            p = float(name.removeprefix("latency_p")) / 100
            low, high = quantile.order_statistic_interval(times, p, confidence)
            measures[name] = Measure(quantile.percentile(times, p), "s", low, high, n)
        low, high = bootstrap.ratio_of_sums(self.cpu_s, self.block_queries, confidence, seed)
        cpu_s = sum(self.cpu_s) / sum(self.block_queries)
        measures["cpu_time"] = Measure(cpu_s, "s", low, high, n)
        return Measured(measures, times_s=times, confidence=confidence, seconds=self.seconds)


def measure_latency(
    served: ServedVariant,
    draw: Iterator[int],
    *,
    percentiles: Iterable[str],
    budget_s: float,
    confidence: float,
    seed: int,
    decided: Callable[[Measured], bool],
) -> tuple[Measured, Queries]:
    """`percentiles` are measures such as `latency_p75` beside those that are always reported.

    Looks at the gates after the first queries, then each time their number has doubled.
    """
    queries = Queries()
    while len(queries.query_ns) < _LEAST_QUERIES or (
        queries.seconds < _ENOUGH_S and len(queries.query_ns) < _ENOUGH_QUERIES
    ):
        queries.measure(served, draw)
        if queries.seconds >= budget_s:
            break
    first = len(queries.query_ns)
    most = max(first, int(first * budget_s / queries.seconds))
    looks = sequential.looks(first, most)
    share = sequential.look_confidence(confidence, len(looks))
    for look in looks:
        while len(queries.query_ns) < look and queries.seconds < budget_s:
            queries.measure(served, draw)
        measured = queries.judged_at(served, percentiles, share, seed)
        if decided(measured) or queries.seconds >= budget_s:
            break
    return measured, queries
