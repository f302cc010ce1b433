"""The search for the highest rate, on servers of which it is known."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pytest_infperf.serving.load.rate_search import highest_rate
from pytest_infperf.suite.loads import Server


@given(st.floats(0.1, 1000), st.floats(0.05, 20))
def test_it_ends_within_a_tenth_below_what_is_sustained(limit: float, first: float) -> None:
    found = highest_rate(lambda rate: rate <= limit, first)
    if len(found.trials) == 14:  # as many as are allowed, from very far away
        return
    if found.too_high is not None and found.rate:
        assert found.rate <= limit < found.too_high
        assert found.too_high / found.rate <= 1.1


def test_the_first_rate_is_doubled_and_then_the_gap_is_halved() -> None:
    found = highest_rate(lambda rate: rate <= 11, 2)
    assert list(found.trials)[:4] == [2, 4, 8, 16]
    assert found.trials[8]
    assert not found.trials[16]
    assert 10 <= found.rate <= 11


def test_a_first_rate_that_is_too_high_is_halved() -> None:
    found = highest_rate(lambda rate: rate <= 3, 16)
    assert list(found.trials)[:4] == [16, 8, 4, 2]
    assert found.rate == pytest.approx(3, rel=0.1)


def test_none_is_sustained() -> None:
    found = highest_rate(lambda rate: False, 64)
    assert found.rate == 0
    assert min(found.trials) == 8


def test_a_trial_is_long_enough_for_its_precision() -> None:
    assert Server(limit_s=0.25, trial_s=4, precision=0.1).trial_lasts_s == 4
    assert Server(limit_s=0.5, trial_s=2, precision=0.1).trial_lasts_s == 5
