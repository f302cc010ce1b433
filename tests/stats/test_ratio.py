"""The Hodges-Lehmann estimate and the signed-rank interval, compared with scipy and simulations."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from statistics import median

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from pytest_infperf.stats.ratio import hodges_lehmann, signed_rank_interval

differences = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40)


@given(differences)
def test_estimate_is_the_median_of_all_walsh_averages(d: list[float]) -> None:
    averages = [(a + b) / 2 for a, b in combinations_with_replacement(d, 2)]
    assert hodges_lehmann(d) == pytest.approx(median(averages), abs=1e-12)


@given(differences, st.floats(-5, 5))
def test_estimate_and_interval_shift_with_the_data(d: list[float], shift: float) -> None:
    moved = [x + shift for x in d]
    low, high = signed_rank_interval(d, 0.95)
    assert hodges_lehmann(moved) == pytest.approx(hodges_lehmann(d) + shift, abs=1e-9)
    assert signed_rank_interval(moved, 0.95) == pytest.approx((low + shift, high + shift), abs=1e-9)


@given(differences, st.floats(0.5, 0.999))
def test_interval_contains_the_estimate_and_changes_sign_with_the_data(
    d: list[float], confidence: float
) -> None:
    low, high = signed_rank_interval(d, confidence)
    assert low <= hodges_lehmann(d) <= high
    assert signed_rank_interval([-x for x in d], confidence) == (-high, -low)


@given(differences)
def test_more_confidence_is_never_narrower(d: list[float]) -> None:
    low, high = signed_rank_interval(d, 0.9)
    wider_low, wider_high = signed_rank_interval(d, 0.99)
    assert wider_low <= low
    assert high <= wider_high


def test_bounds_are_those_of_the_published_table() -> None:
    """For n = 12 the two-sided 5 % test rejects rank sums up to 13 (Wilcoxon 1945)."""
    d = list(np.random.default_rng(5).normal(size=12))
    averages = sorted((a + b) / 2 for a, b in combinations_with_replacement(d, 2))
    assert signed_rank_interval(d, 0.95) == pytest.approx((averages[13], averages[-14]))


@pytest.mark.parametrize(("n", "bounded"), [(0, False), (7, False), (8, True)])
def test_too_few_pairs_have_no_bounds(n: int, bounded: bool) -> None:
    """All n signs are equal with probability 2**-n on either side, together 1/128 for n = 8."""
    low, high = signed_rank_interval(np.linspace(0.1, 0.2, n), 0.99)
    assert (math.isfinite(low), math.isfinite(high)) == (bounded, bounded)


@pytest.mark.parametrize("n", [8, 12, 24, 48, 96])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_interval_excludes_zero_exactly_when_scipy_rejects(n: int, alpha: float) -> None:
    rng = np.random.default_rng(n)
    rejections = 0
    for _ in range(100):
        d = rng.normal(rng.uniform(0, 4) / math.sqrt(n), 1, n)
        low, high = signed_rank_interval(d, 1 - alpha)
        rejected = bool(stats.wilcoxon(d, method="exact").pvalue <= alpha)
        assert (low > 0 or high < 0) == rejected
        rejections += rejected
    assert 10 < rejections < 90


def test_interval_of_many_pairs_agrees_with_scipy_s_normal_approximation() -> None:
    rng = np.random.default_rng(384)
    rejections = 0
    for _ in range(100):
        d = rng.normal(rng.uniform(0, 0.2), 1, 384)
        low, high = signed_rank_interval(d, 0.99)
        rejected = bool(stats.wilcoxon(d, correction=True).pvalue <= 0.01)
        assert (low > 0 or high < 0) == rejected
        rejections += rejected
    assert 10 < rejections < 90


@pytest.mark.parametrize("n", [100, 101])
def test_exact_and_approximate_bounds_meet(n: int) -> None:
    """For 1 to n the bounds are as far from the centre as the rejected rank sum from its mean."""
    low, high = signed_rank_interval(np.arange(1.0, n + 1), 0.99)
    expected = 0.5 + 2.576 * math.sqrt(n / 12)
    assert high - (n + 1) / 2 == pytest.approx(expected, rel=0.08)
    assert low + high == pytest.approx(n + 1)


@pytest.mark.parametrize("n", [12, 24, 150])
def test_coverage_is_nominal_under_heavy_tails(n: int) -> None:
    """Of 2,000 intervals at 90 %, for noise of infinite variance."""
    noise = np.random.default_rng(n).standard_t(2, size=(2000, n)) * 0.02 + 0.05
    covered = sum(
        low <= 0.05 <= high for low, high in (signed_rank_interval(d, 0.9) for d in noise)
    )
    assert 0.885 <= covered / 2000 <= 0.93
