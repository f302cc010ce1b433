"""How a measure stands against earlier runs: a hint, for the host has had its days since then.

The earlier values are taken as draws of one level, and the new one as another: the interval of the
ratio to their median is that of a prediction (Hahn and Meeker, Statistical Intervals, chapter 4,
on the log scale).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median, stdev

from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Measure

LEAST_RUNS = 3
"""With fewer, how much runs differ is not known."""


def measure_trend(now: Measure, past: Sequence[float], confidence: float) -> Measured:
    """The share by which `now` is over the median of the past; no measure without a past."""
    if not past or min(*past, now.value, 1) <= 0:
        return Measured(confidence=confidence)
    change = math.log(now.value / median(past))
    low = high = None
    if len(past) >= LEAST_RUNS:
        from scipy import special

        logs = [math.log(value) for value in past]
        t = float(special.stdtrit(len(past) - 1, (1 + confidence) / 2))
        half = t * stdev(logs) * math.sqrt(1 + 1 / len(past))
        low, high = (math.expm1(change + sign * half) for sign in (-1, 1))
    measure = Measure(math.expm1(change), "fraction", low, high, len(past))
    return Measured({"trend": measure}, confidence=confidence)
