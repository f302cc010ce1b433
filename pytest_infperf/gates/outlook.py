"""Estimates of the additional measuring time that decides a limit, if the value stays the same.

The interval of independent observations shrinks with the square root of their number. The interval
of a paired ratio shrinks with the number of pairs of processes, also because more processes give a
better estimate of their variance. The estimates are rough and include a reserve.
"""

from __future__ import annotations

import math

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured

_RESERVE = 1.1
"""Factor on the estimated time to decide."""
_LONGEST_S = 3600.0
"""Measuring time beyond which a value is treated as equal to its limit, in seconds."""


def of_interval(
    quantity: Measure, bounds: tuple[float, float], limit: float, measured: Measured
) -> float:
    """Return the seconds of measuring after which an interval would exclude its limit.

    Parameters
    ----------
    quantity : Measure
        The estimate.
    bounds : tuple of float
        The bounds of its interval, which contains the limit; an infinite one means no bound.
    limit : float
        The limit, in the unit of the quantity.
    measured : Measured
        The measures, and the measuring time so far.

    Returns
    -------
    float
        Seconds of measuring, in addition to those so far; infinite if the value is too close to
        the limit.
    """
    from pytest_infperf.stats.processes import processes_to_decide
    from pytest_infperf.stats.sequential import pairs_to_decide

    if not all(map(math.isfinite, bounds)):
        return measured.seconds
    estimate = quantity.value
    if processes := measured.processes:
        half_width = bounds[1] - estimate if estimate < limit else estimate - bounds[0]
        needed = processes_to_decide(
            abs(estimate - limit) / half_width if half_width else math.inf,
            processes.count,
            processes.freedom,
            measured.confidence,
        )
        if needed is None:
            return math.inf
        more_s = (needed - processes.count) * processes.seconds_each
        return _within_reason(measured.seconds + more_s, measured.seconds)
    pairs = pairs_to_decide(estimate, *bounds, limit, quantity.n)
    if pairs is None:
        return math.inf
    return _within_reason(measured.seconds * pairs / quantity.n, measured.seconds)


def of_percentile(
    over: int, n: int, p: float, confidence: float, seconds: float, share: float
) -> float:
    """Return the seconds that would decide a percentile of latency.

    Parameters
    ----------
    over : int
        The number of queries over the limit.
    n : int
        The number of queries.
    p : float
        The percentile, as a fraction.
    confidence : float
        The confidence of the decision.
    seconds : float
        Measuring time so far, in seconds.
    share : float
        The number of independent queries that each query counts as.

    Returns
    -------
    float
        Seconds of measuring, in addition to those so far; infinite if too many would be needed.
    """
    from pytest_infperf.stats.quantile import queries_to_decide

    counted = max(1, round(share * n))
    needed = queries_to_decide(min(counted, round(share * over)), counted, p, confidence)
    return math.inf if needed is None else _within_reason(seconds * needed / counted, seconds)


def _within_reason(total_s: float, seconds: float) -> float:
    """Return the remaining time, with the reserve; infinite if the total is too long."""
    total_s *= _RESERVE
    return math.inf if total_s > _LONGEST_S else total_s - seconds
