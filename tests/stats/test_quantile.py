"""Percentiles and the early stopping rule, compared with their definitions and simulations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from scipy import signal, special, stats

from pytest_infperf.stats.dependence import Dependence
from pytest_infperf.stats.quantile import (
    dependence_at,
    order_statistic_interval,
    percentile,
    percentile_decision,
    queries_needed,
    queries_to_decide,
)

times = st.lists(st.floats(0.001, 10), min_size=1, max_size=200)
shares = st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.99, 0.999])


@given(times, shares)
def test_percentile_is_the_smallest_time_that_covers_the_share(t: list[float], p: float) -> None:
    value = percentile(t, p)
    assert value in t
    assert sum(x <= value for x in t) >= p * len(t) - 1e-9
    assert sum(x < value for x in t) < p * len(t)


@pytest.mark.parametrize(
    ("p", "n", "rank"), [(0.5, 1, 1), (0.5, 2, 1), (0.9, 10, 9), (0.07, 100, 7), (0.99, 100, 99)]
)
def test_percentile_takes_the_nearest_rank(p: float, n: int, rank: int) -> None:
    assert percentile([float(i) for i in range(n, 0, -1)], p) == rank


@given(times, shares, st.floats(0.5, 0.999))
def test_interval_holds_the_percentile(t: list[float], p: float, confidence: float) -> None:
    low, high = order_statistic_interval(t, p, confidence)
    assert low is None or low <= percentile(t, p)
    assert high is None or high >= percentile(t, p)


def mixed(values: Iterable[float]) -> list[float]:
    """Return values in random order, like independent ones."""
    return np.random.default_rng(3).permutation(list(map(float, values))).tolist()


def test_interval_takes_the_binomial_ranks() -> None:
    """Of 100 values, ranks 40 and 61 bound the median at 95 % (Conover, table of the sign test)."""
    assert order_statistic_interval(mixed(range(1, 101)), 0.5, 0.95) == (40.0, 61.0)


def test_interval_of_too_few_times_has_no_bound() -> None:
    seen = mixed(range(100))
    low, high = order_statistic_interval(seen, 0.99, 0.99)
    assert low is not None
    assert high is None
    assert order_statistic_interval(seen[:3], 0.5, 0.99) == (None, None)
    assert order_statistic_interval([], 0.5, 0.99) == (None, None)


def test_interval_covers_the_true_percentile() -> None:
    draws = np.random.default_rng(90).lognormal(0, 0.5, size=(2000, 200))
    truth = stats.lognorm(0.5).ppf(0.9)
    covered = 0
    for draw in draws:
        low, high = order_statistic_interval(draw, 0.9, 0.95)
        covered += (low is None or low <= truth) and (high is None or truth <= high)
    assert 0.94 <= covered / 2000 <= 0.985


@pytest.mark.parametrize(
    ("p", "confidence", "queries"), [(0.99, 0.99, 459), (0.9, 0.99, 44), (0.5, 0.99, 7)]
)
def test_queries_needed(p: float, confidence: float, queries: int) -> None:
    assert queries_needed(p, confidence) == queries


@pytest.mark.parametrize("p", [0.99999, 0.9999999, 0.99999999999, 1 - 2**-53])
def test_queries_needed_next_to_the_maximum(p: float) -> None:
    needed = math.log(0.01) / math.log1p(-(1 - p))
    assert queries_needed(p, 0.99) == pytest.approx(needed, abs=2, rel=1e-9)


@given(st.floats(0.05, 0.995), st.floats(0.5, 0.999))
def test_queries_needed_is_the_smallest_number_that_decides(p: float, confidence: float) -> None:
    n = queries_needed(p, confidence)
    assert percentile_decision(0, n, p, confidence) is True
    assert n == 1 or percentile_decision(0, n - 1, p, confidence) is None


@given(st.integers(1, 3000), shares, st.floats(0.6, 0.999), st.data())
def test_decision_is_the_binomial_rule_on_both_sides(
    n: int, p: float, confidence: float, data: st.DataObject
) -> None:
    over = data.draw(st.integers(0, n))
    few = stats.binom.cdf(over, n, 1 - p)
    many = stats.binom.sf(over - 1, n, 1 - p)
    decision = percentile_decision(over, n, p, confidence)
    if not any(math.isclose(tail, 1 - confidence, rel_tol=1e-6) for tail in (few, many)):
        expected = True if few < 1 - confidence else False if many < 1 - confidence else None
        assert decision is expected


def test_decisions_change_from_under_to_over_with_the_slow_queries() -> None:
    decisions = [percentile_decision(over, 500, 0.9, 0.99) for over in range(501)]
    assert decisions[0] is True
    assert decisions[50] is None
    assert decisions[500] is False
    turns = sum(a is not b for a, b in pairwise(decisions))
    assert turns == 2


@pytest.mark.parametrize(("share_over", "wrong"), [(0.1001, True), (0.0999, False)])
def test_wrong_decisions_next_to_the_limit_are_rarer_than_the_error(
    share_over: float, wrong: bool
) -> None:
    over = np.random.default_rng(1).binomial(460, share_over, size=5000)
    mistakes = sum(percentile_decision(int(t), 460, 0.9, 0.99) is wrong for t in over)
    assert mistakes / 5000 <= 0.01


@given(st.integers(1, 400), shares, st.data())
def test_the_estimated_number_of_queries_decides_at_the_same_share(
    n: int, p: float, data: st.DataObject
) -> None:
    over = data.draw(st.integers(0, n))
    queries = queries_to_decide(over, n, p, 0.99)
    if queries is None:
        assert over / n == pytest.approx(1 - p, rel=0.02)
    else:
        assert queries >= n
        assert percentile_decision(round(over / n * queries), queries, p, 0.99) is not None


def test_no_number_of_queries_decides_on_the_limit() -> None:
    assert queries_to_decide(10, 100, 0.9, 0.99) is None


def test_without_a_slow_query_the_estimated_number_is_the_needed_one() -> None:
    assert queries_to_decide(0, 44, 0.99, 0.99) == 459


def alternating(length: int, n: int = 2000) -> NDArray[np.float64]:
    """Return n latencies of 1, of which about a tenth, in bursts of that length, are 2."""
    starts = np.random.default_rng(4).random(n) < 0.1 / length
    return 1.0 + np.convolve(starts, np.ones(length))[:n].clip(0, 1)


def test_latencies_of_a_burst_count_as_one() -> None:
    """The number of queries over the limit is the same, but only independent queries decide."""
    scattered, bursts = alternating(1), alternating(20)
    decided = [
        percentile_decision(
            int((times > 1.5).sum()), 2000, 0.87, 0.99, depend=dependence_at(times, 0.87, 1.5)
        )
        for times in (scattered, bursts)
    ]
    assert decided == [True, None]
    assert 10 < dependence_at(bursts, 0.87, 1.5).effect < 40


def test_a_limit_far_from_all_latencies_is_decided_while_they_drift() -> None:
    drifting = np.linspace(1.0, 1.1, 500)
    assert (
        percentile_decision(50, 500, 0.9, 0.99, depend=dependence_at(drifting, 0.9, 1.09)) is None
    )
    assert dependence_at(drifting, 0.9, 2.0) == dependence_at(drifting, 0.9, 0.5) == Dependence()
    low, high = order_statistic_interval(drifting.tolist(), 0.9, 0.99)
    assert low is not None
    assert low < 1.06
    assert high == 1.1


def autocorrelated(rng: np.random.Generator, n: int, memory: float) -> NDArray[np.float64]:
    """Return latencies whose logarithms are an AR(1) process with that autocorrelation."""
    draw = math.sqrt(1 - memory**2) * rng.normal(size=n)
    first = memory * rng.normal(size=1)
    return np.exp(signal.lfilter([1], [1, -memory], draw, zi=first)[0] / 4)


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_latencies_that_depend_on_their_neighbours_decide_no_limit_wrongly(p: float) -> None:
    """With the binomial rule alone, half of these runs have a verdict, and each is wrong."""
    limit = math.exp(special.ndtri(p) / 4)
    rng = np.random.default_rng(5)
    decided = []
    for _ in range(400):
        times = autocorrelated(rng, 1000, 0.9)
        over = int((times > limit).sum())
        decided.append(
            [
                percentile_decision(over, 1000, p, 0.99, depend=depend)
                for depend in (None, dependence_at(times, p, limit))
            ]
        )
    plain, judged = zip(*decided, strict=True)
    assert sum(found is not None for found in plain) / 400 > 0.3
    assert sum(found is True for found in judged) / 400 <= 0.02
    assert sum(found is False for found in judged) / 400 <= 0.02
