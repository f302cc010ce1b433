"""The interval of a proportion, compared with the binomial tails that define it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from pytest_infperf.stats.proportion import clopper_pearson, paired_difference


@given(st.integers(1, 2000), st.floats(0.5, 0.999), st.data())
def test_each_bound_is_where_the_binomial_tail_equals_the_error(
    n: int, confidence: float, data: st.DataObject
) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = clopper_pearson(successes, n, confidence)
    tail = (1 - confidence) / 2
    assert 0 <= low <= successes / n <= high <= 1
    assert low == 0 or stats.binom.sf(successes - 1, n, low) == pytest.approx(tail, rel=1e-6)
    assert high == 1 or stats.binom.cdf(successes, n, high) == pytest.approx(tail, rel=1e-6)


def test_a_count_of_all_or_none_has_a_trivial_bound() -> None:
    assert clopper_pearson(400, 400, 0.99) == (pytest.approx(0.005 ** (1 / 400)), 1.0)
    assert clopper_pearson(0, 400, 0.99) == (0.0, pytest.approx(1 - 0.005 ** (1 / 400)))


def test_equal_answers_may_differ_on_samples_that_were_not_seen() -> None:
    """0.005^(1/30) is 0.838: up to 16 % of samples may differ, although none of 30 does."""
    low, high = paired_difference(0, 0, 30, 0.99)
    assert (low, high) == (-high, pytest.approx(1 - 0.005 ** (1 / 30)))


@given(st.integers(1, 300), st.data())
def test_a_difference_changes_its_sign_with_the_order(n: int, data: st.DataObject) -> None:
    only_a = data.draw(st.integers(0, n))
    only_b = data.draw(st.integers(0, n - only_a))
    low, high = paired_difference(only_a, only_b, n, 0.95)
    assert -1 <= low <= (only_a - only_b) / n <= high <= 1
    assert paired_difference(only_b, only_a, n, 0.95) == pytest.approx((-high, -low))


def test_many_differences_have_the_width_of_the_standard_error() -> None:
    """The variance of a paired difference is (a + b - (a - b)^2) / n."""
    low, high = paired_difference(3000, 2000, 10_000, 0.95)
    error = 1.96 * ((0.5 - 0.01) / 10_000) ** 0.5
    assert (high - low) / 2 == pytest.approx(error, rel=0.03)


@pytest.mark.parametrize(("n", "lost", "won"), [(30, 0.05, 0), (100, 0.03, 0.02), (300, 0.2, 0.1)])
def test_a_difference_of_paired_proportions_is_covered(n: int, lost: float, won: float) -> None:
    drawn = np.random.default_rng(1).multinomial(n, [won, lost, 1 - won - lost], size=4000)
    counts, times = np.unique(drawn[:, :2], axis=0, return_counts=True)
    outside = 0
    for (gained, dropped), often in zip(counts.tolist(), times.tolist(), strict=True):
        low, high = paired_difference(gained, dropped, n, 0.99)
        outside += 0 if low <= won - lost <= high else often
    assert outside / 4000 <= 0.012
