"""Percentiles of latencies: their value, their interval, and whether one is under a limit.

A percentile is an order statistic by the nearest-rank definition: a latency that was measured, and
never an average of two. The number of n independent latencies over a percentile is binomial. This
gives its interval [1]_ and, applied to the number over a limit, the early stopping rule of MLPerf's
LoadGen [2]_. LoadGen stops early only to pass; here the same test also stops early to fail.

References
----------
.. [1] Hahn, G. J. and Meeker, W. Q. Statistical Intervals: A Guide for Practitioners, chapter 5.
.. [2] MLPerf Inference, loadgen/early_stopping.cc, https://github.com/mlcommons/inference
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

_ROUNDING = 1e-9
"""Tolerance that keeps 0.07 x 100 at rank 7 in floating point."""
_GROWTH = 1.05
_MOST_QUERIES = 10_000_000
"""Limit of the search: longer runs are not practical, and `bdtr` is not exact beyond it."""
_MOST_STEPS_OFF = 2
"""Number of queries by which rounding can put the logarithms' answer below the binomial one."""


def percentile(times: Sequence[float], p: float) -> float:
    """Return the smallest time that at least the share p of all times does not exceed.

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
    """Return the confidence interval of a percentile of the distribution of independent times.

    Parameters
    ----------
    times : sequence of float, shape [n]
        Independent latencies.
    p : float
        Percentile, between 0 and 1.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float or None
        Bounds, which are among the times; None where n is too small for this confidence.

    References
    ----------
    Hahn and Meeker, Statistical Intervals, chapter 5.
    """
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

    Returns
    -------
    bool or None
        True if the percentile is under the limit, False if it is over, None if n latencies do not
        decide.

    References
    ----------
    The early stopping rule of MLPerf's LoadGen, loadgen/early_stopping.cc, on both sides.
    """
    if special.bdtr(over, n, 1 - p) <= 1 - (confidence if passing is None else passing):
        return True
    if over and special.bdtrc(over - 1, n, 1 - p) <= 1 - confidence:
        return False
    return None


def queries_needed(p: float, confidence: float) -> int:
    """Return the smallest number of queries that pass if none of them is over the limit.

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
    """Estimate how many queries decide if the share over the limit stays as it is.

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
        Number of queries, including the first n; None if the share is so close to 1 - p that no
        practical run decides.
    """
    if not over:
        return max(n, queries_needed(p, confidence))
    queries = n
    while queries <= _MOST_QUERIES:
        if percentile_decision(round(over / n * queries), queries, p, confidence) is not None:
            return queries
        queries = math.ceil(queries * _GROWTH)
    return None
