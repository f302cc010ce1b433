"""Paired log ratios: how much slower or faster one variant is, with an interval.

The estimate is the median of the Walsh averages (Hodges and Lehmann 1963); the interval holds
every shift that the Wilcoxon signed-rank test does not reject (Hollander, Wolfe and Chicken,
Nonparametric Statistical Methods, 3.1 to 3.3). Both bear the bursts of a shared host, which ruin a
mean. scipy.stats.wilcoxon gives p-values alone, and its exact null distribution is private.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EXACT_UP_TO = 100


def hodges_lehmann(d: ArrayLike) -> float:
    """The centre of the differences `d`: the median of the averages of all pairs of them."""
    averages = _walsh_averages(d)
    upper = averages.size // 2
    lower = (averages.size - 1) // 2
    averages.partition((lower, upper))
    return float((averages[lower] + averages[upper]) / 2)


def signed_rank_interval(d: ArrayLike, confidence: float) -> tuple[float, float]:
    """Bounds of the centre of `d`; infinite where so few pairs cannot have that confidence."""
    averages = _walsh_averages(d)
    rejected = _largest_rejected_rank_sum(np.size(d), (1 - confidence) / 2)
    if rejected < 0:
        return -math.inf, math.inf
    lower, upper = rejected, averages.size - 1 - rejected
    averages.partition((lower, upper))
    return float(averages[lower]), float(averages[upper])


def _walsh_averages(d: ArrayLike) -> NDArray[np.float64]:
    """Averages of each difference with itself and each later one."""
    halves = np.asarray(d, dtype=np.float64) / 2
    n = halves.size
    averages = np.empty(n * (n + 1) // 2)
    start = 0
    for i in range(n):
        np.add(halves[i], halves[i:], out=averages[start : start + n - i])
        start += n - i
    return averages


@lru_cache(maxsize=64)
def _largest_rejected_rank_sum(n: int, tail: float) -> int:
    """The largest c with P(rank sum <= c) <= tail when the centre is zero; -1 if there is none."""
    if n <= _EXACT_UP_TO:
        return int(np.searchsorted(_null_distribution(n).cumsum(), tail, side="right")) - 1
    mean = n * (n + 1) / 4
    deviation = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return math.floor(mean + NormalDist().inv_cdf(tail) * deviation - 0.5)


def _null_distribution(n: int) -> NDArray[np.float64]:
    """Probabilities of the rank sums 0 to n(n+1)/2: each rank counts with probability 1/2."""
    probabilities = np.zeros(n * (n + 1) // 2 + 1)
    probabilities[0] = 1.0
    for rank in range(1, n + 1):
        without = probabilities / 2
        probabilities[:rank] = without[:rank]
        probabilities[rank:] = without[rank:] + without[:-rank]
    return probabilities
