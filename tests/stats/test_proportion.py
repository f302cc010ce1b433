"""The interval of a proportion against the binomial tails that define it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from scipy import stats

from pytest_infperf.stats.proportion import clopper_pearson


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
