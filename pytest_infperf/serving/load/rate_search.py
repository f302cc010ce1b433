"""The highest rate that a server sustains within a limit: doubled, then bisected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_MOST_TRIALS = 14


@dataclass(frozen=True)
class Found:
    rate: float
    """The highest that was sustained; 0 when none was."""
    beyond: float | None
    """The lowest that was not; None when none was too high."""
    trials: dict[float, bool]
    """By rate whether it was sustained, in the order in which they were tried."""


def highest_rate(sustained: Callable[[float], bool], first: float, precision: float = 0.1) -> Found:
    """Until the rates on both sides are within that share of each other.

    From `first` downwards when that is too high already, at most to an eighth of it.
    """
    trials: dict[float, bool] = {}
    low, high = 0.0, None
    rate = first
    while len(trials) < _MOST_TRIALS:
        trials[rate] = sustained(rate)
        if trials[rate]:
            low = rate
        else:
            high = rate
        if high is None:
            rate = 2 * low
        elif not low:
            rate = high / 2
            if rate < first / 8:
                break
        elif high / low <= 1 + precision:
            break
        else:
            rate = (low * high) ** 0.5
    return Found(low, high, trials)
