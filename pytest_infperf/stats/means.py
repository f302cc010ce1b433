"""Confidence interval of a mean or of a ratio of sums, from values in the order of measurement.

Student's interval is valid for independent values. Neighbouring values share the state of the host,
so they are combined into longer runs until von Neumann's test finds the runs independent, as in
Fishman's method of batch means [1]_. A few long times make the distribution skewed, so the bound on
that side is moved as in Johnson's and Chen's modified t tests [2]_ [3]_. Bootstrap intervals,
including BCa, are too narrow for fewer than about thirty values.

References
----------
.. [1] Fishman, G. S. (1978). Grouping Observations in Digital Simulation. Management Science 24.
.. [2] Johnson, N. J. (1978). Modified t Tests and Confidence Intervals for Asymmetrical
   Populations. Journal of the American Statistical Association 73.
.. [3] Chen, L. (1995). Testing the Mean of Skewed Distributions. Journal of the American
   Statistical Association 90.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

Bounds = tuple[float | None, float | None]
"""Lower and upper bound of an interval; None means no bound."""

_LEAST_VALUES = 6
"""Minimum number of values for an interval."""
_MOST_RUNS = 32
_LEAST_RUNS = 4
_LEVEL = 0.2
"""Error of von Neumann's test; runs that are longer than necessary cost little."""


def mean(values: Sequence[float], confidence: float) -> Bounds:
    """Return the confidence interval of a mean.

    Parameters
    ----------
    values : sequence of float, shape [n]
        Values in the order in which they were measured.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float or None
        Bounds of the mean; both None for fewer than 6 values.
    """
    return ratio_of_sums(values, [1.0] * len(values), confidence)


def ratio_of_sums(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float
) -> Bounds:
    """Return the confidence interval of a ratio of two sums, such as the seconds per sample.

    Parameters
    ----------
    numerators, denominators : sequence of float, shape [n]
        Terms of both sums, such as the seconds and the samples of each batch. Only the numerators
        are random.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float or None
        Bounds of the ratio; both None for fewer than 6 terms.
    """
    above, below = (np.asarray(terms, np.float64) for terms in (numerators, denominators))
    if len(above) < _LEAST_VALUES:
        return None, None
    ratio, weight = above.sum() / below.sum(), below.sum()
    residuals = _independent_runs(above - ratio * below)
    count = len(residuals)
    variance = count / (count - 1) * float((residuals**2).sum())
    t = float(special.stdtrit(count - 1, (1 + confidence) / 2))
    distance = t * math.sqrt(variance)
    third = float((residuals**3).sum())
    skewed = third / variance * (1 + 2 * t * t) / 6 if variance else 0.0
    return (
        float(ratio - (distance + max(0.0, -skewed)) / weight),
        float(ratio + (distance + max(0.0, skewed)) / weight),
    )


def _independent_runs(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of runs of residuals, long enough to be independent, or few."""
    count = min(len(residuals), _MOST_RUNS)
    while True:
        ends = np.linspace(0, len(residuals), count + 1).astype(int)
        runs = np.add.reduceat(residuals, ends[:-1])
        is_last = count // 2 < _LEAST_RUNS
        if is_last or not _depend(runs):
            return runs
        count //= 2


def _depend(runs: NDArray[np.float64]) -> bool:
    """Return whether von Neumann's test rejects that neighbours are independent."""
    squares, count = float((runs**2).sum()), len(runs)
    if not squares or count < 3:
        return False
    correlation = 1 - float((np.diff(runs) ** 2).sum()) / squares / 2
    deviation = math.sqrt((count - 2) / (count * count - 1))
    return correlation > float(special.ndtri(1 - _LEVEL)) * deviation
