"""Intervals of means and rates with a known sampling distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal, stats

from pytest_infperf.stats.means import mean, ratio_of_sums


def bounds(values: list[float] | NDArray[np.float64], confidence: float) -> tuple[float, float]:
    low, high = mean(list(values), confidence)
    assert low is not None
    assert high is not None
    return low, high


def test_a_symmetric_sample_has_students_interval() -> None:
    """The values alternate around the mean: no skewness, no similar neighbours."""
    values = [1.0, 2.0] * 8
    expected = stats.t.interval(0.95, 15, 1.5, np.std(values, ddof=1) / 4)
    assert bounds(values, 0.95) == pytest.approx(expected)


def test_a_long_tail_moves_the_bound_on_its_side_as_chens_t_does() -> None:
    values = np.array([1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    low, high = bounds(values, 0.9)
    t, error = stats.t.ppf(0.95, 7), values.std(ddof=1) / math.sqrt(8)
    third = ((values - values.mean()) ** 3).mean()
    moved = third * (1 + 2 * t * t) / (6 * values.var(ddof=1) * 8)
    assert low == pytest.approx(values.mean() - t * error)
    assert high == pytest.approx(values.mean() + t * error + moved)


def test_equal_batches_have_one_rate() -> None:
    assert ratio_of_sums([2.0] * 20, [32.0] * 20, 0.99) == (0.0625, 0.0625)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_values_have_no_bounds(count: int) -> None:
    assert mean([0.1] * count, 0.99) == (None, None)
    assert ratio_of_sums([1.0] * count, [32.0] * count, 0.99) == (None, None)


def test_a_last_batch_that_is_smaller_counts_by_its_samples() -> None:
    """Each sample takes the same time in every batch, so that there is no variation."""
    low, high = ratio_of_sums([3.2] * 8 + [0.4], [32.0] * 8 + [4.0], 0.99)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_values_that_rise_all_the_time_have_an_interval_of_few_runs() -> None:
    low, high = mean(np.linspace(1, 2, 200).tolist(), 0.99)
    assert low is not None
    assert high is not None
    assert low < 1
    assert high > 2


@pytest.mark.parametrize("count", [60, 459, 5000])
def test_the_interval_of_a_mean_has_about_the_width_of_its_standard_error(count: int) -> None:
    """It is a little wider, because at most 32 runs tell the standard error."""
    draws = np.random.default_rng(5).lognormal(0, 0.3, size=(40, count))
    widths = [high - low for low, high in (bounds(draw, 0.95) for draw in draws)]
    error = 1.96 * draws.std(ddof=1) / math.sqrt(count)
    assert np.median(widths) / 2 == pytest.approx(1.07 * error, rel=0.1)


@pytest.mark.parametrize("batches", [13, 40])
def test_few_batches_cover_the_throughput(batches: int) -> None:
    """13 batches of 32 are 400 samples."""
    draws = np.random.default_rng(13).gamma(25, 1 / 25, (1000, batches))
    found = [mean(draw.tolist(), 0.99) for draw in draws]
    assert sum(low is None for low, _ in found) <= 40
    assert sum(low is not None and low > 1 for low, _ in found) <= 10
    assert sum(high is not None and high < 1 for _, high in found) <= 15


@pytest.mark.parametrize("memory", [0.5, 0.9])
def test_values_that_depend_on_their_neighbours_cover_their_mean(memory: float) -> None:
    """Student's interval alone covers the mean in 80 % or 40 % of these cases."""
    rng = np.random.default_rng(6)
    outside = 0
    for _ in range(400):
        draw = math.sqrt(1 - memory**2) * rng.normal(size=1000)
        start = memory * rng.normal(size=1)
        values = 10 + signal.lfilter([1], [1, -memory], draw, zi=start)[0]
        low, high = mean(values.tolist(), 0.99)
        outside += low is not None and high is not None and not low <= 10 <= high
    assert outside / 400 <= 0.025


def test_a_burst_of_slow_queries_widens_the_interval_of_their_mean() -> None:
    bursts = np.repeat(np.arange(100) % 7 == 3, 10) + 1.0
    scattered = np.random.default_rng(7).permutation(bursts)
    narrow, wide = (bounds(values, 0.95) for values in (scattered, bursts))
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])
