"""Latency: single queries of one variant on samples in random order.

The real-time factor is the time of all queries divided by the duration of their samples: below 1, a
speech recogniser keeps up with the speaker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from math import ceil
from time import perf_counter

from pytest_infperf import errors
from pytest_infperf.measure.blocks import SecondChances
from pytest_infperf.measure.budget import Budget, Remaining
from pytest_infperf.measure.times import time_measures
from pytest_infperf.measure.tokens import TokenTimes
from pytest_infperf.records.catalogue import percentile_of, times_of
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats import means, quantile, sequential
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_BLOCK_S = 0.1
"""Target duration of a block, in seconds."""
_LONGEST_BLOCK_S = 0.5
"""Maximum duration of a block of slow queries, in seconds."""
_LEAST_OF_A_BLOCK = 8
"""Minimum number of queries of a block; each block costs one more query for its warm-up."""
_LEAST_QUERIES = 60
_ENOUGH_QUERIES = 459
"""Number of queries that give an upper bound of the 99th percentile at a confidence of 0.99."""
_ENOUGH_S = 1.0


@dataclass
class Queries:
    """The single queries of one variant so far."""

    query_ns: list[int] = field(default_factory=list)
    """The time of each query, in nanoseconds."""
    model_ns: list[int] = field(default_factory=list)
    """The time of each query inside the model, in nanoseconds."""
    tokens: TokenTimes = field(default_factory=TokenTimes)
    """The tokens of each query."""
    numbers: list[int] = field(default_factory=list)
    """The number of the sample of each query."""
    cpu_s: list[float] = field(default_factory=list)
    """The CPU time of each block, in seconds."""
    block_queries: list[float] = field(default_factory=list)
    """The number of queries of each block."""
    chances: SecondChances = field(default_factory=SecondChances)
    seconds: float = 0.0

    def measure(self, worker: VariantWorker, order: Iterator[int], budget_s: float) -> None:
        """Measure another block of about 0.1 s, or longer if queries are slow."""
        start = perf_counter()
        mean_s = sum(self.query_ns) / len(self.query_ns) / 1e9 if self.query_ns else _BLOCK_S / 2
        least = min(_LEAST_OF_A_BLOCK, ceil(_LONGEST_BLOCK_S / mean_s))
        count = max(least, ceil(_BLOCK_S / mean_s))
        numbers = [next(order) for _ in range(count)]
        block = worker.run([[number] for number in numbers])
        self.seconds += perf_counter() - start
        if self.chances.take(block, in_time=self.seconds < budget_s):
            self.numbers += numbers
            self.query_ns += block.query_ns
            self.model_ns += block.model_ns
            self.tokens.add(block)
            self.cpu_s.append(block.cpu_ns / 1e9)
            self.block_queries.append(len(block.query_ns))

    def measured_at(
        self,
        worker: VariantWorker,
        percentiles: Iterable[str],
        confidence: float,
        duration_s: Callable[[int], float | None],
    ) -> Measured:
        """Return the measures of the queries so far, at the confidence of one look."""
        times = [ns / 1e9 for ns in self.query_ns]
        model_times = [ns / 1e9 for ns in self.model_ns]
        n = len(times)
        model_bounds = quantile.order_statistic_interval(model_times, 0.5, confidence)
        measures = {
            **time_measures(times, _of("latency", percentiles), confidence),
            "latency_first": Measure(worker.first_query_s, "s"),
            "load_time": Measure(worker.load_s, "s"),
            "model_time_p50": Measure(quantile.percentile(model_times, 0.5), "s", *model_bounds, n),
        }
        low, high = means.ratio_of_sums(self.cpu_s, self.block_queries, confidence)
        cpu_s = sum(self.cpu_s) / sum(self.block_queries)
        measures["cpu_time"] = Measure(cpu_s, "s", low, high, n)
        durations = [duration for number in self.numbers if (duration := duration_s(number))]
        if len(durations) == n:
            bounds = means.ratio_of_sums(times, durations, confidence)
            factor = sum(times) / sum(durations)
            measures["real_time_factor"] = Measure(factor, "ratio", *bounds, n)
        of_tokens = self.tokens.measured(percentiles, confidence)
        return Measured(
            {**measures, **of_tokens.measures},
            missing=of_tokens.missing,
            times_s=times,
            token_times_s=of_tokens.token_times_s,
            confidence=confidence,
            seconds=self.seconds,
            remark=self.chances.remark("blocks"),
        )


def _plan(
    queries: Queries, percentiles: Sequence[str], budget: Budget, confidence: float
) -> tuple[list[int], float, dict[str, dict[int, float]]]:
    """Return the looks, their confidence, and the confidence for passing by percentile and look.

    Each percentile may also pass at the first look of another one. Otherwise its verdict could
    become inconclusive again while the other is measured. Percentiles of inter-token latency have
    more observations than queries, so they pass at the confidence of the looks.
    """
    first = len(queries.query_ns)
    planned, _ = sequential.plan(first, queries.seconds, budget.own_s, budget.most_s, confidence)
    of_queries = [name for name in percentiles if times_of(name) != "itl"]
    needed = {name: partial(_needed, name) for name in of_queries}

    def passing(looks: Sequence[int]) -> dict[str, dict[int, float]]:
        return {
            name: sequential.passing_confidences(looks, each, confidence)
            for name, each in needed.items()
        }

    looks = sorted({*planned, *chain.from_iterable(passing(planned).values())})
    return looks, sequential.look_confidence(confidence, len(looks)), passing(looks)


def _of(times: str, percentiles: Iterable[str]) -> list[str]:
    return [name for name in percentiles if times_of(name) == times]


def _needed(percentile: str, confidence: float) -> int:
    return quantile.queries_needed(percentile_of(percentile), confidence)


def measure_latency(
    worker: VariantWorker,
    order: Iterator[int],
    duration_s: Callable[[int], float | None],
    *,
    percentiles: Sequence[str],
    budget: Budget,
    confidence: float,
    remaining: Remaining,
) -> tuple[Measured, Queries]:
    """Measure single queries until all gates are decided or the budget is spent.

    The gates are evaluated after the first queries and whenever the number of queries has doubled.

    Parameters
    ----------
    worker : VariantWorker
        The worker of the variant.
    order : iterator of int
        The numbers of the samples, in the order in which they are run.
    duration_s : callable
        Returns the duration of a sample of audio in seconds; None for other samples.
    percentiles : sequence of str
        Measures such as `latency_p75`, in addition to the percentiles that are always reported.
    budget : Budget
        Measuring time.
    confidence : float
        The confidence of verdicts; its error is shared by the looks.
    remaining : callable
        Returns the seconds that would decide every gate.
    """
    queries = Queries()
    while len(queries.query_ns) < _LEAST_QUERIES or (
        queries.seconds < _ENOUGH_S and len(queries.query_ns) < _ENOUGH_QUERIES
    ):
        queries.measure(worker, order, budget.own_s)
        if queries.seconds >= budget.own_s:
            break
    looks, share, passing = _plan(queries, percentiles, budget, confidence)
    for look in looks:
        while len(queries.query_ns) < look and queries.seconds < budget.most_s:
            queries.measure(worker, order, budget.most_s)
        measured = replace(
            queries.measured_at(worker, percentiles, share, duration_s),
            passing={name: by_look.get(look, 1.0) for name, by_look in passing.items() if by_look},
        )
        if budget.ends(queries.seconds, remaining(measured)):
            break
    return measured, queries
