"""The measuring time of a run, which is shared by its tests.

A test whose gates are decided early adds the rest of its budget to a purse. A test whose gates are
not decided at the end of its own budget draws on the purse, if the available time is expected to
decide them. The total measuring time does not exceed the sum of the budgets of all tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_infperf.measure.budget import Budget

MOST_BUDGETS = 4
"""The longest measuring time of a test, in multiples of its own budget."""


@dataclass
class TestTime:
    """The measuring time of one test."""

    __test__ = False

    own_s: float
    """Unused time of the test's own budget, in seconds."""
    more_s: float = 0.0
    """Time that the test may still draw on the purse, in seconds."""
    drawn_s: float = 0.0
    """Time that the test has drawn, in seconds."""

    def part(self, share: float = 1.0) -> Budget:
        """Return the budget of a measurement with a fraction of the test's own time."""
        return Budget(share * self.own_s, self.more_s)

    def spend(self, budget: Budget, seconds: float) -> None:
        """Subtract the time of a measurement."""
        drawn_s = max(0.0, seconds - budget.own_s)
        self.own_s -= seconds - drawn_s
        self.more_s = max(0.0, self.more_s - drawn_s)
        self.drawn_s += drawn_s


@dataclass
class Purse:
    """The unused measuring time of a run's tests."""

    left_s: float = 0.0
    scale: float = 1.0
    """Factor on the budgets of all tests, which divides the time of --infperf-time."""

    @contextmanager
    def test(self, budget_s: float) -> Iterator[TestTime]:
        """Yield the measuring time of a test, and keep its unused time for later tests.

        The unused time of a test that raises is lost.

        Parameters
        ----------
        budget_s : float
            The test's own budget, in seconds.
        """
        may_draw_s = min(max(self.left_s, 0.0), (MOST_BUDGETS - 1) * budget_s)
        time = TestTime(budget_s, may_draw_s)
        yield time
        self.left_s += time.own_s - time.drawn_s
