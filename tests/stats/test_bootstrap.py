"""Bootstrap intervals of scores and rates with a known sampling distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from pytest_infperf.stats.bootstrap import (
    SAMPLE_RESAMPLES,
    bounds,
    interval,
    scores_of_samples,
    scores_of_sums,
)

Array = NDArray[np.float64]


def share(totals: Array) -> float:
    """Return the accuracy: right answers over answers."""
    return float(totals[0] / totals[1])


def answers(right: NDArray[np.bool_]) -> Array:
    return np.column_stack([right, np.ones(len(right))]).astype(float)


def paired_difference(
    a: Array, b: Array, confidence: float, seed: int
) -> tuple[float, float | None, float | None]:
    """Return the difference of the scores of two systems, and its bounds."""
    scores = scores_of_sums(a, share, seed) - scores_of_sums(b, share, seed)
    difference = share(a.sum(axis=0)) - share(b.sum(axis=0))
    return (difference, *bounds(scores, len(a), confidence))


def test_interval_has_the_width_of_a_proportion() -> None:
    right = np.arange(1000) % 5 != 0
    low, high = interval(answers(right), share, 0.95, seed=1, resamples=4000)
    assert low is not None
    assert high is not None
    error = 1.96 * math.sqrt(0.8 * 0.2 / 1000)
    assert low == pytest.approx(0.8 - error, abs=0.1 * error)
    assert high == pytest.approx(0.8 + error, abs=0.1 * error)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_equal_seeds_give_equal_intervals(seed: int) -> None:
    right = np.random.default_rng(seed).random(60) < 0.7
    first = interval(answers(right), share, 0.9, seed)
    assert interval(answers(right), share, 0.9, seed) == first
    assert first != (None, None)


def test_large_sets_are_resampled_in_parts_with_the_same_distribution() -> None:
    """One matrix of counts cannot hold all resamples of so many samples."""
    right = np.arange(30_000) % 10 != 0
    low, high = interval(answers(right), share, 0.95, seed=2, resamples=400)
    assert low is not None
    assert high is not None
    error = 1.96 * math.sqrt(0.9 * 0.1 / 30_000)
    assert (high - low) / 2 == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_too_few_samples_have_no_bounds(samples: int) -> None:
    right = np.arange(samples) % 2 == 0
    assert interval(answers(right), share, 0.99, seed=1) == (None, None)


def test_a_system_does_not_differ_from_itself() -> None:
    right = np.random.default_rng(1).random(200) < 0.6
    outcome = paired_difference(answers(right), answers(right), 0.99, seed=1)
    assert outcome == (0.0, 0.0, 0.0)


def test_pairing_finds_a_difference_that_separate_intervals_hide() -> None:
    """20 of 1,000 answers become wrong: only the separate intervals overlap."""
    better = np.arange(1000) % 5 != 0
    worse = better.copy()
    worse[np.flatnonzero(better)[:20]] = False
    difference, low, high = paired_difference(answers(worse), answers(better), 0.99, seed=3)
    assert difference == pytest.approx(-0.02)
    assert low is not None
    assert high is not None
    assert low < difference < high < 0
    highest_of_worse = interval(answers(worse), share, 0.99, seed=3)[1]
    lowest_of_better = interval(answers(better), share, 0.99, seed=3)[0]
    assert highest_of_worse is not None
    assert lowest_of_better is not None
    assert highest_of_worse > lowest_of_better


def test_difference_changes_sign_with_the_order() -> None:
    rng = np.random.default_rng(4)
    a, b = answers(rng.random(300) < 0.7), answers(rng.random(300) < 0.6)
    difference, low, high = paired_difference(a, b, 0.95, seed=5)
    assert low is not None
    assert high is not None
    swapped = paired_difference(b, a, 0.95, seed=5)
    assert swapped == pytest.approx((-difference, -high, -low))


def test_resamples_of_samples_give_the_interval_of_resampled_sums() -> None:
    right = np.arange(400) % 4 != 0
    scores = scores_of_samples(lambda drawn: float(right[drawn].mean()), 400, seed=1)
    assert scores.shape == (SAMPLE_RESAMPLES,)
    expected = interval(answers(right), share, 0.99, seed=2, resamples=SAMPLE_RESAMPLES)
    assert bounds(scores, 400, 0.99) == pytest.approx(expected, abs=0.01)


def test_a_resample_without_a_score_lies_outside_both_bounds() -> None:
    scores = np.linspace(0, 1, 2000)
    low, high = bounds(scores, 500, 0.9)
    assert (low, high) == (pytest.approx(0.05, abs=0.001), pytest.approx(0.95, abs=0.001))
    scores[1000:1050] = np.nan
    low, high = bounds(scores, 500, 0.9)
    assert low == pytest.approx(0.05 - 0.025, abs=0.001)
    assert high == pytest.approx(0.95 + 0.025, abs=0.001)


def test_too_many_resamples_without_a_score_leave_no_bounds() -> None:
    scores = np.linspace(0, 1, 2000)
    scores[:200] = np.nan
    assert bounds(scores, 500, 0.9) == (None, None)


def test_coverage_of_a_score_is_nominal() -> None:
    rng = np.random.default_rng(8)
    covered = 0
    for run in range(400):
        low, high = interval(answers(rng.random(150) < 0.75), share, 0.9, seed=run, resamples=400)
        assert low is not None
        assert high is not None
        covered += low <= 0.75 <= high
    assert 0.86 <= covered / 400 <= 0.94
