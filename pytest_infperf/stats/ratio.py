"""The centre of paired log ratios, with a confidence interval.

The estimate is the median of the Walsh averages [1]_. The interval contains every shift that the
Wilcoxon signed-rank test does not reject [2]_. Both are robust against the bursts of a shared host,
which distort a mean. scipy.stats.wilcoxon returns only p-values, and its exact null distribution is
private.

References
----------
.. [1] Hodges, J. L. and Lehmann, E. L. (1963). Estimates of Location Based on Rank Tests. The
   Annals of Mathematical Statistics 34.
.. [2] Hollander, M., Wolfe, D. A. and Chicken, E. Nonparametric Statistical Methods, 3.1 to 3.3.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EXACT_UP_TO = 100
"""Number of pairs up to which the exact null distribution is used; then a normal approximation."""


def hodges_lehmann(d: ArrayLike) -> float:
    """Return the centre of differences: the median of all pairwise averages.

    Parameters
    ----------
    d : array_like, shape [n]
        Differences, for example the log ratios of pairs, n >= 1.

    Returns
    -------
    float
        The estimate in the unit of the differences.

    References
    ----------
    Hodges and Lehmann (1963).
    """
    averages = _walsh_averages(d)
    upper = averages.size // 2
    lower = (averages.size - 1) // 2
    averages.partition((lower, upper))
    return float((averages[lower] + averages[upper]) / 2)


def signed_rank_interval(d: ArrayLike, confidence: float) -> tuple[float, float]:
    """Return the confidence interval of the centre of differences.

    Parameters
    ----------
    d : array_like, shape [n]
        Differences, for example the log ratios of pairs.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float
        Bounds in the unit of the differences; infinite if n is too small for this confidence.

    References
    ----------
    Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3.3.
    """
    averages = _walsh_averages(d)
    rejected = _largest_rejected_rank_sum(np.size(d), (1 - confidence) / 2)
    if rejected < 0:
        return -math.inf, math.inf
    lower, upper = rejected, averages.size - 1 - rejected
    averages.partition((lower, upper))
    return float(averages[lower]), float(averages[upper])


def _walsh_averages(d: ArrayLike) -> NDArray[np.float64]:
    """Return the averages of each difference with itself and each later one."""
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
    """Return the largest c with P(rank sum <= c) <= tail for a centre of 0, or -1 if none."""
    if n <= _EXACT_UP_TO:
        return int(np.searchsorted(_null_distribution(n).cumsum(), tail, side="right")) - 1
    mean = n * (n + 1) / 4
    deviation = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return math.floor(mean + NormalDist().inv_cdf(tail) * deviation - 0.5)


def _null_distribution(n: int) -> NDArray[np.float64]:
    """Return the probabilities of the rank sums 0 to n(n+1)/2.

    Each rank is included with probability 1/2.
    """
    probabilities = np.zeros(n * (n + 1) // 2 + 1)
    probabilities[0] = 1.0
    for rank in range(1, n + 1):
        without = probabilities / 2
        probabilities[:rank] = without[:rank]
        probabilities[rank:] = without[rank:] + without[:-rank]
    return probabilities
