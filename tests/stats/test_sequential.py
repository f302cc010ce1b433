"""The looks, and the error of stopping at the first look that decides."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pytest_infperf.stats.quantile import percentile_decision, queries_needed
from pytest_infperf.stats.ratio import signed_rank_interval
from pytest_infperf.stats.sequential import (
    look_confidence,
    look_times,
    looks,
    pairs_to_decide,
    passing_confidences,
    plan,
    spending_confidences,
)

LOOKS = looks(12, 200)
MARGIN = math.log(1.02)


def verdict(d: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[bool | None, int]:
    """Return whether `d` is within the margin, and the look that decided."""
    share = look_confidence(0.99, len(LOOKS))
    for look in LOOKS:
        low, high = signed_rank_interval(d[:look], share)
        if high <= MARGIN:
            return True, look
        if low > MARGIN:
            return False, look
    return None, LOOKS[-1]


def simulated(centre: float, runs: int, seed: int) -> list[tuple[bool | None, int]]:
    """Return verdicts on log ratios with a standard deviation of 4 % and outliers."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.04, size=(runs, LOOKS[-1]))
    noise *= np.where(rng.random(noise.shape) < 0.05, 6, 1)
    return [verdict(d) for d in centre + noise]


def test_looks_double_and_end_with_the_most() -> None:
    assert looks(12, 100) == [12, 24, 48, 96, 100]
    assert looks(12, 96) == [12, 24, 48, 96]
    assert looks(12, 12) == [12]
    assert looks(12, 5) == [5]


@given(st.integers(1, 100), st.integers(1, 10_000))
def test_looks_grow(first: int, most: int) -> None:
    counts = looks(first, most)
    assert counts == sorted(set(counts))
    assert counts[-1] == most
    assert all(later <= 2 * earlier for earlier, later in pairwise(counts))


@given(st.floats(0.5, 0.999), st.integers(1, 20))
def test_looks_share_the_error(confidence: float, count: int) -> None:
    error = 1 - look_confidence(confidence, count)
    assert error * count == pytest.approx(1 - confidence)


def test_identical_variants_are_not_called_slower() -> None:
    """A/A against a margin of 2 %: at most 1 % false verdicts, and most runs decide."""
    verdicts = [decided for decided, _ in simulated(0.0, 500, seed=1)]
    assert verdicts.count(False) <= 5
    assert verdicts.count(True) >= 450


def test_on_the_margin_both_verdicts_together_are_rarer_than_the_error() -> None:
    """The worst case: every verdict is false, and each look is a chance for one."""
    verdicts = [decided for decided, _ in simulated(MARGIN, 1000, seed=2)]
    assert verdicts.count(True) + verdicts.count(False) <= 10


def test_a_real_slowdown_of_five_per_cent_is_found() -> None:
    outcomes = simulated(math.log(1.05), 300, seed=3)
    assert sum(decided is False for decided, _ in outcomes) >= 297


def test_a_large_difference_stops_at_an_early_look() -> None:
    assert {look for _, look in simulated(math.log(1.5), 50, seed=4)} == {12}


def test_half_the_gap_takes_four_times_the_pairs() -> None:
    assert pairs_to_decide(1.48, 1.44, 1.52, 1.50, 24) == 96
    assert pairs_to_decide(1.52, 1.48, 1.56, 1.50, 24) == 96


def test_the_bound_on_the_side_of_the_limit_counts() -> None:
    assert pairs_to_decide(1.0, 0.5, 1.5, 1.25, 10) == 40
    assert pairs_to_decide(1.0, -math.inf, 1.5, 1.25, 10) == 40
    assert pairs_to_decide(1.0, 0.5, math.inf, 1.25, 10) is None


def test_no_number_of_pairs_decides_on_the_limit() -> None:
    assert pairs_to_decide(1.5, 1.4, 1.6, 1.5, 24) is None
    assert pairs_to_decide(1.0, 0.0, 2.0, 1.0 + 1e-300, 24) is None


def test_the_estimated_number_of_pairs_usually_decides() -> None:
    rng = np.random.default_rng(6)
    d = rng.normal(0, 0.04, 24)
    d += 0.01 - float(np.median(d))
    low, high = signed_rank_interval(d, 0.99)
    needed = pairs_to_decide(0.01, low, high, MARGIN, 24)
    assert needed is not None
    wider = np.random.default_rng(7).normal(0.01, 0.04, size=(100, 2 * needed))
    decided = sum(signed_rank_interval(more, 0.99)[1] <= MARGIN for more in wider)
    assert decided >= 70


def needed_for_p99(confidence: float) -> int:
    return queries_needed(0.99, confidence)


def test_a_percentile_has_its_own_first_look_that_spends_most_of_the_error() -> None:
    found = passing_confidences([60, 120, 240, 480, 900], needed_for_p99, 0.95)
    assert list(found) == [queries_needed(0.99, 0.96), 480, 900]
    assert sum(1 - confidence for confidence in found.values()) == pytest.approx(0.05)


def test_a_single_look_has_all_of_the_error() -> None:
    assert passing_confidences([60, 120, 310], needed_for_p99, 0.95) == {310: 0.95}
    assert passing_confidences([60, 120, 240], needed_for_p99, 0.95) == {}


def test_a_percentile_over_its_limit_rarely_passes() -> None:
    """The 99th percentile is at the limit, so that every pass is an error."""
    found = passing_confidences([60, 120, 240, 480, 960], needed_for_p99, 0.95)
    rng = np.random.default_rng(0)
    over = rng.random((4000, 960)) < 0.01
    passed = np.zeros(4000, dtype=bool)
    for look, confidence in found.items():
        counts = over[:, :look].sum(axis=1)
        passed |= np.array(
            [percentile_decision(int(t), look, 0.99, 1.0, confidence) is True for t in counts]
        )
    assert passed.mean() < 0.05


def test_later_looks_spend_more_of_the_error_and_all_of_them_spend_it_once() -> None:
    found = spending_confidences([1.0, 2.0, 4.0, 8.0], 0.99)
    assert [1 - confidence for confidence in found] == pytest.approx(
        [0.001945, 0.001629, 0.002628, 0.003799], abs=1e-6
    )
    assert sum(1 - confidence for confidence in found) == pytest.approx(0.01)
    assert spending_confidences([3.0], 0.99) == pytest.approx([0.99])


def test_looks_double_in_time_until_the_budget() -> None:
    assert look_times(3.0, 20.0, 20.0) == [3.0, 6.0, 12.0, 20.0]
    assert look_times(1.0, 6.0, 6.0) == [1.0, 2.0, 4.0, 6.0]
    assert look_times(1.0, 9.0, 9.0) == [1.0, 2.0, 4.0, 9.0]


def test_no_look_is_shortly_before_the_end_of_a_budget() -> None:
    assert look_times(1.0, 5.0, 5.0) == [1.0, 2.0, 5.0]
    assert look_times(2.25, 20.0, 40.0) == [2.25, 4.5, 9.0, 20.0, 40.0]


def test_looks_go_on_from_the_own_budget_to_what_may_be_drawn() -> None:
    assert look_times(3.0, 10.0, 50.0) == [3.0, 6.0, 10.0, 20.0, 50.0]
    assert look_times(3.0, 2.0, 10.0) == [3.0, 6.0, 10.0]
    counts, confidence = plan(12, 1.0, 5.0, 12.0, 0.99)
    assert counts == [12, 24, 48, 60, 120, 144]
    assert confidence == pytest.approx(1 - 0.01 / 6)
    assert plan(12, 1.0, 5.0, 5.0, 0.99) == ([12, 24, 48, 60], pytest.approx(1 - 0.01 / 4))


def test_a_budget_that_the_first_look_spends_has_one_look() -> None:
    assert look_times(3.0, 2.0, 2.0) == [3.0]
