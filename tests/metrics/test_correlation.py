"""Correlations equal those of scipy, and are not defined for equal numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from pytest_infperf import Mae, Pearson, Rmse, Spearman
from pytest_infperf.suite.outputs import UnusableSample

X = [2.0, 1.0, 4.0, 3.0, 5.0]
Y = [1, 2, 3, 4, 5]


def pearson(outputs: list[Any], references: list[Any]) -> float:
    return Pearson().score(Pearson().statistics(outputs, references).sum(axis=0))


def test_known_values() -> None:
    # Squared differences of ranks: 1 + 1 + 1 + 1, so rho is 1 - 6 x 4 / (5 x 24); there are no
    # other values than ranks, so r is the same.
    assert Spearman().score(X, Y) == pytest.approx(0.8)
    assert pearson(X, Y) == pytest.approx(0.8)
    assert Spearman().score([0.1, 10, 1000], [1, 2, 3]) == pytest.approx(1)
    assert Spearman().score([-x for x in X], Y) == pytest.approx(-0.8)


def test_ties_have_their_mean_rank() -> None:
    # Ranks 1.5, 1.5, 3 and 1, 2, 3.
    assert Spearman().score([7, 7, 9], [1, 2, 3]) == pytest.approx(math.sqrt(3) / 2)


NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=30))
@settings(max_examples=100)
def test_pearson_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    x, y = (list(side) for side in zip(*pairs, strict=True))
    for side in (x, y):  # scipy warns of values that hardly differ
        if np.std(side) < 1e-6 * np.max(np.abs(side)) or not np.std(side):
            return
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-6)


def test_pearson_of_resamples_is_that_of_scipy() -> None:
    """Far from zero, sums of squares would lose all digits if they were not centred."""
    rng = np.random.default_rng(1)
    y = 1e9 + rng.normal(size=100)
    x = y + rng.normal(size=100)
    statistics = Pearson().statistics(x.tolist(), y.tolist())
    for _ in range(10):
        drawn = rng.integers(100, size=100)
        expected = stats.pearsonr(x[drawn], y[drawn]).statistic
        assert Pearson().score(statistics[drawn].sum(axis=0)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("score", [pearson, Spearman().score])
@pytest.mark.parametrize(
    ("outputs", "references"),
    [([0.1] * 3, [1, 2, 3]), ([1, 2, 3], [0.7] * 3), ([1.0], [1.0]), ([1, math.nan, 3], [1, 2, 3])],
)
def test_correlations_are_not_defined_for_equal_numbers(
    score: Any, outputs: list[float], references: list[float]
) -> None:
    assert math.isnan(score(outputs, references))


def test_pearson_of_a_resample_of_one_sample_is_not_defined() -> None:
    rows = Pearson().statistics([0.1, 0.7, 0.9], [0.3, 0.1, 0.2])
    for row in rows:
        assert math.isnan(Pearson().score(np.sum([row] * 3, axis=0)))


@pytest.mark.parametrize(("metric", "expected"), [(Mae(), 2.0), (Rmse(), math.sqrt(20 / 3))])
def test_errors(metric: Mae | Rmse, expected: float) -> None:
    totals = metric.statistics([1, 2.5, 7], [1, 4.5, 3]).sum(axis=0)
    assert metric.score(totals) == pytest.approx(expected)
    assert not metric.higher_is_better


@pytest.mark.parametrize(
    "call", [Pearson().statistics, Spearman().score, Mae().statistics, Rmse().statistics]
)
@pytest.mark.parametrize("bad", ["0.5", None, [0.5], {"score": 0.5}])
def test_a_value_that_is_not_a_number_is_an_error_with_its_sample(call: Any, bad: Any) -> None:
    for role, pair in (("output", ([1.0, bad], [1.0, 2.0])), ("reference", ([1.0, 2.0], [1, bad]))):
        with pytest.raises(UnusableSample) as raised:
            call(*pair)
        assert raised.value.position == 1
        assert raised.value.problem == f"its {role} is {bad!r}, not a number"
