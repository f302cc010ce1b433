from __future__ import annotations

import pytest

from pytest_infperf.report.remaining_time import RemainingTime


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_there_is_no_estimate_before_a_test_is_finished(clock: Clock) -> None:
    remaining = RemainingTime(clock, 10)
    clock.now = 7
    assert remaining.seconds() is None
    assert remaining.text() == ""


def test_there_is_no_estimate_before_enough_tests_are_finished(clock: Clock) -> None:
    remaining = RemainingTime(clock, 4, guess_after=2)
    clock.now = 30
    remaining.advance()
    assert remaining.seconds() is None
    clock.now = 40
    remaining.advance()
    assert remaining.seconds() == 40


def test_the_estimate_is_from_the_mean_of_finished_tests(clock: Clock) -> None:
    remaining = RemainingTime(clock, 4)
    clock.now = 30
    remaining.advance()
    clock.now = 40
    remaining.advance()
    assert remaining.seconds() == 40
    clock.now = 45
    assert remaining.seconds() == 35


def test_a_slow_test_never_makes_the_estimate_negative(clock: Clock) -> None:
    remaining = RemainingTime(clock, 2)
    clock.now = 10
    remaining.advance()
    clock.now = 500
    assert remaining.seconds() == 0
    remaining.advance()
    assert remaining.seconds() == 0
    remaining.advance()
    assert remaining.seconds() == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3, "under 10 s left"),
        (12, "about 10 s left"),
        (63, "about 65 s left"),
        (150, "about 2 min left"),
        (3600, "about 60 min left"),
        (8000, "about 2 h 13 min left"),
    ],
)
def test_the_estimate_in_words(clock: Clock, seconds: float, text: str) -> None:
    remaining = RemainingTime(clock, 2)
    clock.now = seconds
    remaining.advance()
    assert remaining.text() == text
