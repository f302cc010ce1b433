"""The measuring time of one measurement, and the rule for ending it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_infperf.records.measured import Measured

Remaining = Callable[[Measured], float]
"""Returns the additional seconds of measuring that would decide every gate: 0 if all are decided,
infinite if they are not expected to be decided."""

_MOST_OVERESTIMATED = 2.0
"""Factor by which an estimate of the remaining time from few pairs may be too long."""


@dataclass(frozen=True)
class Budget:
    """The measuring time of one measurement.

    Parameters
    ----------
    own_s : float
        Guaranteed time, in seconds.
    more_s : float, default 0
        Time that it may draw in addition if this is expected to decide its gates, in seconds.
    """

    own_s: float
    more_s: float = 0.0

    @property
    def most_s(self) -> float:
        """The longest measuring time, in seconds."""
        return self.own_s + self.more_s

    def ends(self, seconds: float, remaining_s: float) -> bool:
        """Return whether a measurement ends at a look.

        Parameters
        ----------
        seconds : float
            Measuring time so far, in seconds.
        remaining_s : float
            Time that would decide the gates, in seconds.
        """
        if not remaining_s or seconds >= self.most_s:
            return True
        promised_s = remaining_s / _MOST_OVERESTIMATED
        return seconds >= self.own_s and seconds + promised_s > self.most_s
