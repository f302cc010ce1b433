"""The design effect of series whose dependence is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_infperf.stats.dependence import Dependence, dependence


def test_independent_values_are_rarely_called_dependent() -> None:
    rng = np.random.default_rng(1)
    found = [dependence(rng.random(500) < 0.1) for _ in range(300)]
    assert sum(each == Dependence() for each in found) / 300 > 0.8


@pytest.mark.parametrize("length", [4, 16])
def test_values_that_come_in_groups_count_as_one_group(length: int) -> None:
    rng = np.random.default_rng(2)
    effects = [
        dependence(np.repeat(rng.random(4000 // length) < 0.3, length)).effect for _ in range(50)
    ]
    assert np.median(effects) == pytest.approx(length, rel=0.25)


def test_few_runs_have_the_degrees_of_freedom_of_students_t() -> None:
    """The 99.5th percentile of the normal distribution is 2.576, of Student's t of 16 2.921."""
    assert Dependence(2.0, 17).share(0.99) == pytest.approx((2.5758 / 2.9208) ** 2 / 2, rel=1e-3)
    assert Dependence(2.0, math.inf).share(0.99) == 0.5
    assert Dependence().share(0.99) == 1


def test_a_change_that_lasts_leaves_a_handful_of_observations() -> None:
    lasting = dependence(np.arange(400) > 200)
    assert 400 * lasting.share(0.99) < 9


@pytest.mark.parametrize("values", [[], [True], [False] * 100, [True] * 100])
def test_equal_values_show_no_dependence(values: list[bool]) -> None:
    assert dependence(np.array(values, dtype=bool)) == Dependence()
