"""Two quantities that were measured apart: their ratio and their difference, with intervals.

The intervals of the two are combined (MOVER: Zou and Donner 2008, Construction of confidence limits
about effect measures; for ratios on the log scale, Donner and Zou 2012). They know only what each
measuring saw: a host that has changed between the two is in none of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value between two bounds, infinite where nothing bounds it; exact when they are equal."""

    value: float
    low: float
    high: float


def ratio(a: Estimate, b: Estimate) -> Estimate:
    """a / b, for values over nought."""
    value = a.value / b.value
    down = math.hypot(_log_distance(a.low, a.value), _log_distance(b.high, b.value))
    up = math.hypot(_log_distance(a.high, a.value), _log_distance(b.low, b.value))
    return Estimate(value, value * math.exp(-down), value * math.exp(up))


def difference(a: Estimate, b: Estimate) -> Estimate:
    """a - b."""
    value = a.value - b.value
    down = math.hypot(a.value - a.low, b.high - b.value)
    up = math.hypot(a.high - a.value, b.value - b.low)
    return Estimate(value, value - down, value + up)


def _log_distance(bound: float, value: float) -> float:
    return abs(math.log(bound / value)) if 0 < bound < math.inf else math.inf
