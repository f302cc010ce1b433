"""The interval of a ratio includes the variation between pairs and between processes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_infperf.stats.processes import (
    CAUTIOUS,
    Prior,
    centre,
    processes_to_decide,
    typical_deviation,
    variance_between,
)

RNG = np.random.default_rng(7)


def drawn(processes: int, pairs: int, between: float, within: float) -> list[list[float]]:
    offsets = between * RNG.standard_normal(processes)
    return [(o + within * RNG.standard_normal(pairs)).tolist() for o in offsets]


def test_without_a_prior_it_is_students_interval_of_the_processes() -> None:
    values = [0.01, 0.03, 0.02, 0.06]
    nearly_nothing = Prior(deviation=0.01, processes=1e-9)
    known = centre([[value] * 6 for value in values], nearly_nothing)
    expected = stats.t.interval(0.99, 3, np.mean(values), stats.sem(values))
    assert known.estimate == pytest.approx(0.03)
    assert known.interval(0.99) == pytest.approx(expected)


def test_a_strong_prior_is_the_standard_error_whatever_the_processes_show() -> None:
    known = centre([[0.00] * 6, [0.04] * 6], Prior(deviation=0.01, processes=1e9))
    half_width = stats.norm.ppf(0.995) * 0.01 / math.sqrt(2)
    assert known.interval(0.99) == pytest.approx((0.02 - half_width, 0.02 + half_width))


def test_the_prior_counts_as_a_number_of_processes() -> None:
    """The variance of two values is 0.04**2 / 2, and that of the prior counts three times."""
    known = centre([[0.00] * 6, [0.04] * 6], Prior(deviation=0.01, processes=3))
    variance = (1 * 0.04**2 / 2 + 3 * 0.01**2) / (1 + 3)
    assert known.freedom == 4
    assert known.error == pytest.approx(math.sqrt(variance / 2))


def test_one_process_is_as_uncertain_as_the_prior_says() -> None:
    low, high = centre([[0.05] * 6], CAUTIOUS).interval(0.99)
    half_width = stats.t.ppf(0.995, 3) * 0.01
    assert (low, high) == pytest.approx((0.05 - half_width, 0.05 + half_width))


def test_pairs_within_processes_widen_the_interval() -> None:
    quiet = centre(drawn(8, 10, 0.0, 0.01))
    loud = centre(drawn(8, 10, 0.0, 0.2))
    assert loud.error > 5 * quiet.error
    assert loud.pair_variance == pytest.approx(0.2**2, rel=0.5)


def test_a_process_with_many_pairs_weighs_more_where_pairs_vary() -> None:
    (many,), (few,) = drawn(1, 100, 0.0, 0.2), drawn(1, 2, 0.0, 0.2)
    estimate = centre([many, [1 + ratio for ratio in few]]).estimate
    assert abs(estimate) < 0.1


def test_bursts_within_a_process_do_not_move_the_estimate() -> None:
    clean = [[0.01, 0.02, 0.03, 0.02, 0.01, 0.03] for _ in range(4)]
    struck = [[*pairs[:5], 3.0] for pairs in clean]
    assert centre(struck).estimate == pytest.approx(centre(clean).estimate, abs=0.01)


def test_the_best_number_of_pairs_follows_from_costs_and_variances() -> None:
    known = centre(drawn(200, 20, 0.01, 0.05))
    assert known.process_variance == pytest.approx(0.01**2, rel=0.5)
    assert known.pairs_a_process(start_s=0.4, pair_s=0.1) == pytest.approx(
        math.sqrt(4 * known.pair_variance / known.process_variance)
    )
    assert 5 < known.pairs_a_process(start_s=0.4, pair_s=0.1) < 20


def test_a_single_pair_in_each_process_has_no_variance_of_its_own() -> None:
    known = centre([[0.0], [0.02], [0.04]])
    assert known.pair_variance == 0
    assert known.estimate == pytest.approx(0.02)


def test_the_difference_between_processes_is_what_pairs_do_not_explain() -> None:
    different = [(19, variance_between(drawn(20, 20, 0.02, 0.02))) for _ in range(20)]
    assert typical_deviation(different) == pytest.approx(0.02, rel=0.15)
    alike = [(19, variance_between(drawn(20, 20, 0.0, 0.02))) for _ in range(20)]
    assert typical_deviation(alike) < 0.004


def test_a_variant_whose_processes_differ_by_more_is_not_typical() -> None:
    comparisons = [(5, 0.01**2), (5, 0.012**2), (8, 0.5**2)]
    assert typical_deviation(comparisons) == pytest.approx(0.012)
    assert typical_deviation([(3, -0.1), (2, 0.1)]) == 0


def test_intervals_contain_the_truth_as_often_as_they_say() -> None:
    covered = 0
    for _ in range(400):
        low, high = centre(drawn(6, 6, 0.01, 0.03)).interval(0.9)
        covered += low <= 0 <= high
    assert 0.86 <= covered / 400 <= 0.98


@pytest.mark.parametrize(("gap", "processes", "freedom"), [(0.5, 10, 12.0), (0.3, 1, 3.0)])
def test_the_processes_that_would_decide_take_the_half_width_to_the_limit(
    gap: float, processes: int, freedom: float
) -> None:
    needed = processes_to_decide(gap, processes, freedom, 0.998)
    assert needed is not None

    def half_width(count: int) -> float:
        return float(stats.t.ppf(0.999, freedom + count - processes)) / math.sqrt(count)

    assert half_width(needed) <= gap * half_width(processes) < half_width(needed - 1)


def test_processes_cannot_decide_what_is_on_the_limit() -> None:
    assert processes_to_decide(0.0, 10, 12.0, 0.99) is None
    assert processes_to_decide(1.0, 10, 12.0, 0.99) == 10
