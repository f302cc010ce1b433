"""The search for the highest rate, on servers whose highest rate is known."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from pytest_infperf.serving.load.rate_search import highest_rate
from pytest_infperf.suite.loads import Server


@given(st.floats(0.1, 1000), st.floats(0.05, 20))
def test_it_ends_within_a_tenth_below_the_highest_rate(limit: float, first: float) -> None:
    result = highest_rate(lambda rate: rate <= limit, first)
    assert result.trials == {rate: rate <= limit for rate in result.trials}
    sustained = [rate for rate, is_sustained in result.trials.items() if is_sustained]
    refused = [rate for rate, is_sustained in result.trials.items() if not is_sustained]
    assert result.rate == max(sustained, default=0)
    assert result.too_high == min(refused, default=None)
    if first / 8 <= limit <= 64 * first:  # near enough for 14 trials
        assert result.too_high
        assert 1 < result.too_high / result.rate <= 1.1


def test_the_first_rate_is_doubled_and_then_the_gap_is_halved() -> None:
    result = highest_rate(lambda rate: rate <= 11, 2)
    assert list(result.trials)[:4] == [2, 4, 8, 16]
    assert result.trials[8]
    assert not result.trials[16]
    assert 10 <= result.rate <= 11


def test_a_first_rate_that_is_too_high_is_halved() -> None:
    result = highest_rate(lambda rate: rate <= 3, 16)
    assert list(result.trials)[:4] == [16, 8, 4, 2]
    assert result.rate == pytest.approx(3, rel=0.1)


def test_no_rate_is_sustained() -> None:
    result = highest_rate(lambda rate: False, 64)
    assert result.rate == 0
    assert min(result.trials) == 8


def test_a_trial_is_long_enough_for_its_precision() -> None:
    assert Server(limit_s=0.25, trial_s=4, precision=0.1).trial_lasts_s == 4
    assert Server(limit_s=0.5, trial_s=2, precision=0.1).trial_lasts_s == 5
