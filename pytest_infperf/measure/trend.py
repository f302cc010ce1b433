"""The change of a measure since earlier runs; only advisory, because the speed of a host drifts.

The model assumes that the earlier values and the new value come from the same distribution. The
interval of the ratio to the median of the earlier values is a prediction interval on the log scale.

References
----------
Hahn and Meeker, "Statistical Intervals", chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median, stdev

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured

_MEDIAN_VARIANCE = math.pi / 2
"""Ratio of the variances of the median and the mean of normal values."""
LEAST_RUNS = 3
"""Minimum number of earlier runs for an estimate of their scatter."""


def measure_trend(now: Measure, past: Sequence[float], confidence: float) -> Measured:
    """Return the fraction by which a measure exceeds the median of earlier runs.

    Parameters
    ----------
    now : Measure
        The measure of this run.
    past : sequence of float
        The values in earlier runs; if empty, the result has no measures.
    confidence : float
        The confidence of the interval.
    """
    if not past or min(*past, now.value, 1) <= 0:
        return Measured(confidence=confidence)
    change = math.log(now.value / median(past))
    low = high = None
    if len(past) >= LEAST_RUNS:
        from scipy import special

        logs = [math.log(value) for value in past]
        t = float(special.stdtrit(len(past) - 1, (1 + confidence) / 2))
        half = t * stdev(logs) * math.sqrt(1 + _MEDIAN_VARIANCE / len(past))
        low, high = (math.expm1(change + sign * half) for sign in (-1, 1))
    measure = Measure(math.expm1(change), "fraction", low, high, len(past))
    return Measured({"trend": measure}, confidence=confidence)
