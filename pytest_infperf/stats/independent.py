"""Ratio and difference of two quantities that were measured independently, with intervals.

The intervals of both are combined by MOVER [1]_, for ratios on the log scale [2]_. They include
only the variation within each measurement, not a change of the host between the two.

References
----------
.. [1] Zou, G. Y. and Donner, A. (2008). Construction of Confidence Limits about Effect Measures: A
   General Approach. Statistics in Medicine 27.
.. [2] Donner, A. and Zou, G. Y. (2012). Closed-form Confidence Intervals for Functions of the
   Normal Mean and Standard Deviation. Statistical Methods in Medical Research 21.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval. Equal bounds mean an exact value."""

    value: float
    low: float
    """Lower bound; -inf means no bound."""
    high: float
    """Upper bound; inf means no bound."""


def ratio(a: Estimate, b: Estimate) -> Estimate:
    """Return the ratio a / b.

    Parameters
    ----------
    a, b : Estimate
        Independent quantities with positive values, and intervals of the same confidence.

    Returns
    -------
    Estimate
        The ratio at the same confidence. Its lower bound is 0, or its upper bound inf, if a bound
        of a or b that it depends on is not positive and finite.
    """
    value = a.value / b.value
    down = math.hypot(_log_distance(a.low, a.value), _log_distance(b.high, b.value))
    up = math.hypot(_log_distance(a.high, a.value), _log_distance(b.low, b.value))
    return Estimate(value, value * math.exp(-down), value * math.exp(up))


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Return the difference a - b.

    Parameters
    ----------
    a, b : Estimate
        Independent quantities of the same unit, with intervals of the same confidence.

    Returns
    -------
    Estimate
        The difference at the same confidence.
    """
    value = a.value - b.value
    down = math.hypot(a.value - a.low, b.high - b.value)
    up = math.hypot(a.high - a.value, b.value - b.low)
    return Estimate(value, value - down, value + up)


def _log_distance(bound: float, value: float) -> float:
    return abs(math.log(bound / value)) if 0 < bound < math.inf else math.inf
