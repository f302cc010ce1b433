"""How long a run still takes, guessed from the tests that are done."""

from __future__ import annotations

from collections.abc import Callable

SOON_S = 10


class Remaining:
    """Counts tests and their times; `clock` tells seconds.

    A run begins with building and with the slowest variant, the baseline as a rule, so the mean of
    the first tests says little: nothing is guessed before `guess_after` tests are done.
    """

    def __init__(self, clock: Callable[[], float], total: int, guess_after: int = 1) -> None:
        self._clock = clock
        self._began = clock()
        self._test_began = self._began
        self._guess_after = guess_after
        self.total = total
        self.done = 0

    def advance(self) -> None:
        self.done += 1
        self._test_began = self._clock()

    def seconds(self) -> float | None:
        """None while there is nothing to guess from."""
        if self.done < self._guess_after:
            return None
        each = (self._test_began - self._began) / self.done
        left = max(0, self.total - self.done)
        in_this_test = min(self._clock() - self._test_began, each)
        return max(0.0, left * each - in_this_test)

    def words(self) -> str:
        """Such as "about 3 min left"; empty while there is nothing to guess from."""
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
