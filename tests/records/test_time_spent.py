"""The time of a run by activity: nested activities, other threads, and its text."""

from __future__ import annotations

from threading import Thread

import pytest

from pytest_infperf.records.time_spent import TimeAccount, in_words, keep, spending


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_moment_counts_once_as_the_innermost_activity() -> None:
    clock = Clock()
    account = TimeAccount(clock)
    clock.now += 1
    with account.spending("measuring"):
        clock.now += 2
        with account.spending("starting"):
            clock.now += 4
        clock.now += 8
    clock.now += 16
    assert account.seconds() == {"other": 17, "measuring": 10, "starting": 4}
    clock.now += 1
    assert account.seconds()["other"] == 18


def test_time_counts_although_the_activity_fails() -> None:
    clock = Clock()
    account = TimeAccount(clock)

    def fail() -> None:
        with account.spending("building"):
            clock.now += 3
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    clock.now += 1
    assert account.seconds() == {"other": 1, "building": 3}


def test_activities_of_other_threads_are_not_counted_twice() -> None:
    clock = Clock()
    account = TimeAccount(clock)

    def build() -> None:
        with account.spending("starting"):
            clock.now += 5

    with account.spending("building"):
        thread = Thread(target=build)
        thread.start()
        thread.join()
    assert account.seconds() == {"other": 0, "building": 5}


def test_time_is_entered_in_the_account_that_is_kept() -> None:
    clock = Clock()
    account = TimeAccount(clock)
    leave = keep(account)
    with spending("measuring"):
        clock.now += 1
    leave()
    with spending("measuring"):
        clock.now += 1
    assert account.seconds() == {"other": 1, "measuring": 1}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (
            {"other": 16.0, "starting": 28.1, "building": 46.4, "measuring": 141.5},
            "measuring 61 %, building 20 %, starting 12 %, other 7 % of 3 min 52 s",
        ),
        (
            {"measuring": 1.0, "starting": 1.0, "other": 1.0},
            "measuring 34 %, starting 33 %, other 33 % of 3 s",
        ),
        ({"measuring": 0.8, "scoring": 0.0, "other": 0.001}, "measuring 100 % of 0.801 s"),
        ({"measuring": 3660.0, "other": 0.0}, "measuring 100 % of 1 h 1 min"),
        ({"building": 12.34, "other": 0.0}, "building 100 % of 12 s"),
        ({"building": 59.7, "other": 0.0}, "building 100 % of 1 min 0 s"),
    ],
)
def test_shares_add_up_and_the_largest_comes_first(seconds: dict[str, float], words: str) -> None:
    assert in_words(seconds) == words
