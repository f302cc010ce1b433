"""Percentiles of latencies: their value, their interval, and whether one is under a limit.

A percentile is an order statistic by the nearest-rank definition: a latency that was seen, never
an average of two. How many of n independent latencies lie over a percentile is binomial, which
gives the interval (Hahn and Meeker, Statistical Intervals, chapter 5) and, applied to the number
over a limit, the early stopping rule of MLPerf's LoadGen (mlcommons/inference,
loadgen/early_stopping.cc). LoadGen only ever passes early; the other side is the same test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

_ROUNDING = 1e-9
"""Keeps 0.07 x 100 at rank 7 in floating point."""
_GROWTH = 1.05
_MOST_QUERIES = 10_000_000
"""Beyond it nobody measures, and the binomial distribution is not computed exactly."""
_MOST_STEPS_OFF = 2
"""By how much rounding can bring the logarithms' answer below the binomial distribution's."""


def percentile(times: Sequence[float], p: float) -> float:
    """The smallest of the times that at least the share `p` of them do not exceed."""
    rank = max(1, math.ceil(p * len(times) - _ROUNDING))
    return float(np.partition(np.asarray(times, dtype=np.float64), rank - 1)[rank - 1])


def distribution(times: Sequence[float]) -> list[float]:
    """The percentiles 0 (the least), 1, 2 ... 100 (the most): shape [101]."""
    return [percentile(times, i / 100) for i in range(101)]


def order_statistic_interval(
    times: Sequence[float], p: float, confidence: float
) -> tuple[float | None, float | None]:
    """Bounds of the percentile of what the times are drawn from; None is no bound at this n."""
    n = len(times)
    ordered = np.sort(np.asarray(times, dtype=np.float64))
    tail = (1 - confidence) / 2
    at_most = special.bdtr(np.arange(n), n, p)
    below = int(np.searchsorted(at_most, tail, side="right"))
    not_above = int(np.searchsorted(at_most, 1 - tail, side="left"))
    low = float(ordered[below - 1]) if below else None
    high = float(ordered[not_above]) if not_above < n else None
    return low, high


def percentile_decision(
    over: int, n: int, p: float, confidence: float, passing: float | None = None
) -> bool | None:
    """True when the percentile is under the limit that `over` of n latencies exceed, else False.

    None while neither is certain enough. `passing` is the confidence that being under takes, where
    it is another.
    """
    if special.bdtr(over, n, 1 - p) <= 1 - (confidence if passing is None else passing):
        return True
    if over and special.bdtrc(over - 1, n, 1 - p) <= 1 - confidence:
        return False
    return None


def queries_needed(p: float, confidence: float) -> int:
    """The smallest number of queries that passes with none of them over the limit."""
    n = max(1, math.floor(math.log(1 - confidence) / math.log(p)))
    if n > _MOST_QUERIES:
        return n + 1
    for queries in range(n, n + _MOST_STEPS_OFF):
        if percentile_decision(0, queries, p, confidence) is not None:
            return queries
    return n + _MOST_STEPS_OFF


def queries_to_decide(over: int, n: int, p: float, confidence: float) -> int | None:
    """About how many queries would decide if the same share stays over the limit.

    None when that share is so close to what the percentile allows that no run decides.
    """
    if not over:
        return max(n, queries_needed(p, confidence))
    queries = n
    while queries <= _MOST_QUERIES:
        if percentile_decision(round(over / n * queries), queries, p, confidence) is not None:
            return queries
        queries = math.ceil(queries * _GROWTH)
    return None
