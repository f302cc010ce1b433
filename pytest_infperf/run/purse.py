"""The measuring time of a run, which its tests share.

A test whose gates are clear leaves the rest of its budget in a purse. A test whose gates are not
decided at the end of its own budget draws on the purse, if what it may draw promises to decide
them; if not, it leaves the purse to others. So the tests of a run measure for no longer than the
sum of their budgets.
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
    """What is left of the test's own budget, in seconds."""
    more_s: float = 0.0
    """What it may still draw on the purse, in seconds."""
    drawn_s: float = 0.0
    """What it has drawn, in seconds."""

    def part(self, share: float = 1.0) -> Budget:
        """Return the budget of a measurement with a share of the test's own time."""
        return Budget(share * self.own_s, self.more_s)

    def spend(self, budget: Budget, seconds: float) -> None:
        """Subtract what a measurement took of its budget."""
        drawn_s = max(0.0, seconds - budget.own_s)
        self.own_s -= seconds - drawn_s
        self.more_s = max(0.0, self.more_s - drawn_s)
        self.drawn_s += drawn_s


@dataclass
class Purse:
    """What the tests of a run have left of their measuring time."""

    left_s: float = 0.0
    scale: float = 1.0
    """Factor on the budgets of all tests, by which they share the time of --infperf-time."""

    @contextmanager
    def test(self, budget_s: float) -> Iterator[TestTime]:
        """Yield the measuring time of a test; what it leaves of it goes to later tests.

        A test that raises leaves nothing.

        Parameters
        ----------
        budget_s : float
            The test's own budget, in seconds.
        """
        may_draw_s = min(max(self.left_s, 0.0), (MOST_BUDGETS - 1) * budget_s)
        time = TestTime(budget_s, may_draw_s)
        yield time
        self.left_s += time.own_s - time.drawn_s
