"""Estimate of the time until a run ends, from the mean time of the finished tests."""

from __future__ import annotations

from collections.abc import Callable

SOON_S = 10
"""Shorter times, in seconds, are not shown exactly."""


class RemainingTime:
    """Counts finished tests and estimates the time that the remaining ones take.

    Parameters
    ----------
    clock
        Returns the time, in seconds.
    total
        Number of tests of the run.
    guess_after
        Number of finished tests before the first estimate. A run begins with building and usually
        with the baseline, its slowest variant, so that the mean of the first tests is misleading.
    """

    def __init__(self, clock: Callable[[], float], total: int, guess_after: int = 1) -> None:
        self._clock = clock
        self._run_began = clock()
        self._test_began = self._run_began
        self._guess_after = guess_after
        self.total = total
        self.done = 0

    def advance(self) -> None:
        """Count one more finished test."""
        self.done += 1
        self._test_began = self._clock()

    def seconds(self) -> float | None:
        """Return the estimate in seconds, or None before enough tests are finished."""
        if self.done < self._guess_after:
            return None
        mean = (self._test_began - self._run_began) / self.done
        tests_left = max(0, self.total - self.done)
        spent_on_this_test = min(self._clock() - self._test_began, mean)
        return max(0.0, tests_left * mean - spent_on_this_test)

    def text(self) -> str:
        """Return the estimate in words, for example "about 3 min left"; empty without estimate."""
        seconds = self.seconds()
        return "" if seconds is None else f"{_duration(seconds)} left"


def _duration(seconds: float) -> str:
    if seconds < SOON_S:
        return f"under {SOON_S} s"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"
