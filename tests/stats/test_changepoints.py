"""Changes of level are found at their positions, and none in noise."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infperf.stats.changepoints import change_points


def noise(n: int, seed: int, deviation: float = 0.01) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, n)


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_found_where_it_is(seed: int) -> None:
    values = noise(30, seed)
    values[18:] += 0.1
    (found,) = change_points(list(values), 0.99)
    assert found.index == 18
    assert found.after - found.before == pytest.approx(0.1, abs=0.015)
    assert found.p_value < 1e-6


def test_two_steps_are_both_found() -> None:
    values = noise(40, 1)
    values[12:25] += 0.08
    assert [point.index for point in change_points(list(values), 0.99)] == [12, 25]


def test_noise_has_no_steps() -> None:
    found = [bool(change_points(list(noise(30, seed)), 0.99)) for seed in range(200)]
    assert sum(found) <= 6, "1 % of 200, with a margin for chance"


def test_one_outlier_is_not_a_new_level() -> None:
    values = noise(20, 3)
    values[10] += 0.5
    assert change_points(list(values), 0.99) == []


def test_a_step_between_constant_levels() -> None:
    values = [5.0] * 6 + [6.0] * 6
    (found,) = change_points(values, 0.99)
    assert (found.index, found.before, found.after) == (6, 5, 6)


def test_too_few_and_equal_values_have_none() -> None:
    assert change_points([1.0, 2.0, 3.0, 4.0, 5.0], 0.99) == []
    assert change_points([1.0] * 20, 0.99) == []
    assert change_points([], 0.99) == []
