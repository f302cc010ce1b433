"""Intervals of the ratio and the difference of two independent quantities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_infperf.stats import independent
from pytest_infperf.stats.independent import Estimate

Z = 1.96


def test_intervals_have_nominal_coverage() -> None:
    rng = np.random.default_rng(0)
    covered_ratio = covered_difference = 0
    runs = 2000
    for _ in range(runs):
        a, b = rng.normal(10, 0.2), rng.normal(8, 0.3)
        sides = Estimate(a, a - Z * 0.2, a + Z * 0.2), Estimate(b, b - Z * 0.3, b + Z * 0.3)
        found = independent.ratio(*sides)
        covered_ratio += found.low <= 10 / 8 <= found.high
        found = independent.difference(*sides)
        covered_difference += found.low <= 2 <= found.high
    assert covered_ratio / runs == pytest.approx(0.95, abs=0.015)
    assert covered_difference / runs == pytest.approx(0.95, abs=0.015)


def test_exact_quantities_stay_exact() -> None:
    two, four = Estimate(2, 2, 2), Estimate(4, 4, 4)
    assert independent.ratio(four, two) == Estimate(2, 2, 2)
    assert independent.difference(four, two) == Estimate(2, 2, 2)


def test_a_missing_bound_leaves_the_result_without_one() -> None:
    open_above = Estimate(2, 1.9, math.inf)
    assert independent.ratio(open_above, Estimate(1, 1, 1)).high == math.inf
    assert independent.ratio(Estimate(1, 1, 1), open_above).low == 0
    assert independent.difference(Estimate(1, 1, 1), open_above).low == -math.inf
