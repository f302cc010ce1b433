"""Percentiles of latencies: their values, their intervals, and their comparison with a limit.

A percentile is an order statistic by the nearest-rank definition: one of the latencies, never an
average of two. The number of latencies over a percentile, out of n independent ones, is binomial.
This gives its interval [1]_ and, for the number over a limit, the early stopping rule of MLPerf's
LoadGen [2]_. LoadGen stops early only to pass; here the same test also stops early to fail.
Latencies that depend on their neighbours count as fewer latencies, see `stats.dependence`.

References
----------
.. [1] Hahn, G. J. and Meeker, W. Q. Statistical Intervals: A Guide for Practitioners, chapter 5.
.. [2] MLPerf Inference, loadgen/early_stopping.cc, https://github.com/mlcommons/inference
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pytest_infperf.stats.dependence import Dependence, dependence

_ROUNDING = 1e-9
"""Tolerance for rounding, so that 0.07 x 100 gives rank 7."""
_GROWTH = 1.05
_MOST_QUERIES = 10_000_000
"""Limit of the search: longer runs are impractical, and `bdtr` is inexact for them."""
_FAR = 3.0
"""Distance from the median, relative to the slowest query's, beyond which a limit is far."""
_FAR_DEVIATIONS = 8
_NONE = 1e-300
"""Positive number in place of zero failures, for which the probability is 1."""
_MOST_STEPS_OFF = 2
"""Number of queries by which rounding can make the estimate from logarithms too low."""


def percentile(times: Sequence[float] | NDArray[np.float64], p: float) -> float:
    """Return the smallest time that is not exceeded by at least the fraction p of all times.

    Parameters
    ----------
    times : sequence of float, shape [n]
        Latencies, n >= 1.
    p : float
        Percentile, between 0 and 1.

    Returns
    -------
    float
        One of the times.
    """
    rank = max(1, math.ceil(p * len(times) - _ROUNDING))
    return float(np.partition(np.asarray(times, dtype=np.float64), rank - 1)[rank - 1])


def distribution(times: Sequence[float]) -> list[float]:
    """Return the percentiles 0 (the minimum), 1, 2, ... 100 (the maximum).

    Parameters
    ----------
    times : sequence of float, shape [n]
        Latencies, n >= 1.

    Returns
    -------
    list of float, shape [101]
        Percentiles in the unit of the times.
    """
    return [percentile(times, i / 100) for i in range(101)]


def order_statistic_interval(
    times: Sequence[float], p: float, confidence: float
) -> tuple[float | None, float | None]:
    """Return the confidence interval of a percentile of the distribution of times.

    Parameters
    ----------
    times : sequence of float, shape [n]
        Latencies in the order in which they were measured.
    p : float
        Percentile, between 0 and 1.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float or None
        Bounds, which are among the times; None if n is too small for this confidence.

    References
    ----------
    Hahn and Meeker, Statistical Intervals, chapter 5.
    """
    if not (n := len(times)):
        return None, None
    series = np.asarray(times, dtype=np.float64)
    ordered = np.sort(series)
    depend = dependence(series > percentile(series, p))
    tail = (1 - confidence) / 2
    share = depend.share(confidence)
    # Ranks outside this range have probabilities close to 0 or 1.
    distance = _FAR_DEVIATIONS * (1 + math.sqrt(n * p * (1 - p) / share))
    first = max(0, math.floor(n * p - distance))
    ranks = np.arange(first, min(n, math.ceil(n * p + distance)))
    at_most = _at_most(ranks, n, p, share)
    below = first + int(np.searchsorted(at_most, tail, side="right"))
    not_above = first + int(np.searchsorted(at_most, 1 - tail, side="left"))
    low = float(ordered[below - 1]) if below else None
    high = float(ordered[not_above]) if not_above < n else None
    return low, high


def dependence_at(times: NDArray[np.float64], p: float, limit: float) -> Dependence:
    """Return the dependence of neighbouring latencies that is relevant for a limit.

    It is the larger of the dependences of the queries over the limit and of the queries over the
    percentile itself, because none may be over the limit yet. It is ignored if the limit is far
    from all latencies relative to their spread: no observed state of the host would then move the
    percentile to the limit.

    Parameters
    ----------
    times : array of float, shape [n]
        Latencies in the order in which they were measured.
    p : float
        Percentile, between 0 and 1.
    limit : float
        The limit, in the unit of the times.
    """
    middle, low, high = (float(of(times)) for of in (np.median, np.min, np.max))
    if limit > middle + _FAR * (high - middle) or limit < middle - _FAR * (middle - low):
        return Dependence()
    thresholds = limit, percentile(times, p)
    return max((dependence(times > at) for at in thresholds), key=lambda found: found.effect)


def percentile_decision(
    over: int,
    n: int,
    p: float,
    confidence: float,
    passing: float | None = None,
    depend: Dependence | None = None,
) -> bool | None:
    """Decide whether a percentile is under a limit.

    Parameters
    ----------
    over : int
        Number of latencies over the limit.
    n : int
        Number of latencies.
    p : float
        Percentile, between 0 and 1.
    confidence : float
        Confidence that a decision needs, between 0 and 1.
    passing : float, optional
        Confidence that the decision "under the limit" needs instead.
    depend : Dependence, optional
        Dependence of the latencies; independent by default.

    Returns
    -------
    bool or None
        True if the percentile is under the limit, False if it is over, None if it is undecided.

    References
    ----------
    The early stopping rule of MLPerf's LoadGen, loadgen/early_stopping.cc, on both sides.
    """
    depend = depend or Dependence()
    passing = confidence if passing is None else passing
    if _at_most(over, n, 1 - p, depend.share(passing)) <= 1 - passing:
        return True
    # "At least `over` above the limit" is equal to "at most n - `over` under it".
    if over and _at_most(n - over, n, p, depend.share(confidence)) <= 1 - confidence:
        return False
    return None


def queries_needed(p: float, confidence: float) -> int:
    """Return the smallest number of queries that pass if none is over the limit.

    Parameters
    ----------
    p : float
        Percentile, between 0 and 1, both excluded.
    confidence : float
        Confidence that the decision needs, between 0 and 1.

    Returns
    -------
    int
        Number of queries.
    """
    n = max(1, math.floor(math.log(1 - confidence) / math.log(p)))
    if n > _MOST_QUERIES:
        return n + 1
    for queries in range(n, n + _MOST_STEPS_OFF):
        if percentile_decision(0, queries, p, confidence) is not None:
            return queries
    return n + _MOST_STEPS_OFF


def queries_to_decide(over: int, n: int, p: float, confidence: float) -> int | None:
    """Estimate the number of queries that decides, if the fraction over the limit stays the same.

    Parameters
    ----------
    over : int
        Number of latencies over the limit.
    n : int
        Number of latencies.
    p : float
        Percentile, between 0 and 1.
    confidence : float
        Confidence that the decision needs, between 0 and 1.

    Returns
    -------
    int or None
        Number of queries, including the first n; None if impractical because the fraction is too
        close to 1 - p.
    """
    if not over:
        return max(n, queries_needed(p, confidence))
    queries = n
    while queries <= _MOST_QUERIES:
        if percentile_decision(round(over / n * queries), queries, p, confidence) is not None:
            return queries
        queries = math.ceil(queries * _GROWTH)
    return None


def _at_most(count: ArrayLike, n: int, p: float, share: float) -> Any:
    """Return the binomial probability of at most `count` of n that count as `share` each."""
    counts = np.asarray(count, np.float64)
    if share == 1:
        return special.bdtr(counts, n, p)
    return special.betainc(np.maximum(share * (n - counts), _NONE), share * counts + 1, 1 - p)
