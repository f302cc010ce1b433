"""Known warm-ups and cool-downs are cut, and little else."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_infperf.stats.steady import steady


def noise(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 0.05, n)


@pytest.mark.parametrize("seed", range(20))
def test_a_warm_up_is_cut(seed: int) -> None:
    series = noise(1000, seed)
    series[:100] += np.linspace(2, 0.2, 100)
    start, end = steady(series)
    assert 95 <= start <= 300
    assert end >= 800


@pytest.mark.parametrize("seed", range(20))
def test_a_cool_down_is_cut(seed: int) -> None:
    series = noise(1000, seed)
    series[-100:] -= 0.5
    _, end = steady(series)
    assert 700 <= end <= 905


def test_little_is_cut_from_a_steady_series() -> None:
    kept = [end - start for start, end in (steady(noise(1000, seed)) for seed in range(50))]
    assert np.mean(kept) > 900


def test_at_most_half_is_cut_from_either_side_and_nothing_from_a_short_series() -> None:
    start, end = steady(np.linspace(100, 1, 1000))
    assert start <= 505
    assert end - start >= 240
    assert steady([3.0, 1.0, 1.0]) == (0, 3)
    assert steady([]) == (0, 0)


def test_a_queue_at_the_end_of_a_steady_series_is_not_cut() -> None:
    """The minimum of the standard error alone would cut the queue, and the rest is too fast."""
    series = noise(1000, 1)
    for start in (200, 450, 600, 960):
        series[start : start + 40] += np.linspace(0, 0.4, 40)
    assert steady(series) == (0, 1000)
