"""The search for the highest rate that a server sustains: rates are doubled, then bisected."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_MAX_TRIALS = 14


@dataclass(frozen=True)
class SustainedRate:
    """The result of a search for the highest sustained rate."""

    rate: float
    """Highest rate that was sustained, in requests per second; 0 if none was."""
    too_high: float | None
    """Lowest rate that was not sustained, in requests per second; None if all were."""
    trials: dict[float, bool]
    """Whether each rate was sustained, in the order of the trials."""
    judged: Mapping[float, bool | None] = field(default_factory=dict)
    """Whether each rate that was run for a limit is certainly sustained; None if undecided."""
    broken: Mapping[float, str] = field(default_factory=dict)
    """The limit that each rate broke by the largest factor, such as `ttft`, or `errors`. The
    rate 0 is that of requests one after another."""

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lower and upper bound of the highest rate.

        Without limits, these are the rates on both sides of the result. With limits, they are the
        highest rate that is certainly sustained, and the next number below the lowest that
        certainly is not.
        """
        if not self.judged:
            return self.rate, self.too_high
        kept = [rate for rate, sustained in self.judged.items() if sustained]
        broken = [rate for rate, sustained in self.judged.items() if sustained is False]
        upper = math.nextafter(min(broken), 0) if broken else None
        return max(kept, default=None), upper


def highest_rate(
    is_sustained: Callable[[float], bool], first: float, precision: float = 0.1
) -> SustainedRate:
    """Search until the rates on both sides are within `precision` of each other.

    The search starts at `first`. If that rate is too high, it goes down to an eighth of it at most.
    """
    trials: dict[float, bool] = {}
    low, high = 0.0, None
    rate = first
    while len(trials) < _MAX_TRIALS:
        trials[rate] = is_sustained(rate)
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
    return SustainedRate(low, high, trials)
