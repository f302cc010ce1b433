"""The end of a measurement, and the time that tests leave to others."""

from __future__ import annotations

import math

import pytest

from pytest_infperf.measure.budget import Budget
from pytest_infperf.run.purse import MOST_BUDGETS, Purse


@pytest.mark.parametrize(
    ("seconds", "remaining_s", "ends"),
    [
        (3.0, 0.0, True),  # decided
        (3.0, math.inf, False),  # the own budget is spent in any case
        (20.0, 5.0, False),  # 5 s more can be drawn
        (20.0, 19.0, False),  # the estimate is rough
        (20.0, 25.0, True),  # nothing is drawn for what would not decide
        (20.0, math.inf, True),
        (30.0, 0.1, True),
    ],
)
def test_a_measurement_goes_on_while_it_promises_to_decide(
    seconds: float, remaining_s: float, ends: bool
) -> None:
    assert Budget(own_s=20.0, more_s=10.0).ends(seconds, remaining_s) is ends


def test_a_clear_test_leaves_its_time_to_an_unclear_one() -> None:
    purse = Purse()
    with purse.test(20.0) as clear:
        assert clear.part() == Budget(20.0, 0.0)
        clear.spend(clear.part(), 2.0)
    assert purse.left_s == 18.0
    with purse.test(20.0) as unclear:
        first = unclear.part(0.5)
        assert first == Budget(10.0, 18.0)
        unclear.spend(first, 13.0)
        assert unclear.part() == Budget(10.0, 15.0)
        unclear.spend(unclear.part(), 25.0)
        assert unclear.drawn_s == 18.0
    assert purse.left_s == 0.0


def test_a_test_draws_no_more_than_the_stated_multiple() -> None:
    purse = Purse(left_s=1000.0)
    with purse.test(20.0) as time:
        assert time.part().most_s == MOST_BUDGETS * 20.0


def test_tests_together_measure_for_no_longer_than_their_budgets() -> None:
    purse, spent_s = Purse(), 0.0
    for wanted_s in (1.0, 90.0, 30.0, 5.0, 100.0):
        with purse.test(20.0) as time:
            seconds = min(wanted_s, time.part().most_s)
            time.spend(time.part(), seconds)
        spent_s += seconds
        assert purse.left_s >= 0
    assert spent_s <= 5 * 20.0


def test_a_test_that_raises_leaves_no_time() -> None:
    purse = Purse()
    with pytest.raises(KeyboardInterrupt), purse.test(20.0):
        raise KeyboardInterrupt
    assert purse.left_s == 0.0
