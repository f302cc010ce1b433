"""Confidence intervals of a proportion, and of the difference of two proportions of equal samples.

The interval of a proportion is exact, by Clopper and Pearson [1]_. The normal approximation and the
bootstrap fail near 0 and 1, the usual range of agreement and accuracy: if no sample is wrong, no
resample contains a wrong one. The interval of a difference combines the exact intervals of the
fractions of samples that only one of both has right (MOVER [2]_).

References
----------
.. [1] Clopper, C. J. and Pearson, E. S. (1934). The Use of Confidence or Fiducial Limits
   Illustrated in the Case of the Binomial. Biometrika 26.
.. [2] Zou, G. Y. and Donner, A. (2008). Construction of Confidence Limits about Effect Measures: A
   General Approach. Statistics in Medicine 27.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_infperf.stats.dependence import dependence


def clopper_pearson(successes: float, n: float, confidence: float) -> tuple[float, float]:
    """Return the confidence interval of a proportion.

    Parameters
    ----------
    successes : float
        Number of successes, from 0 to n; fractional if trials depend on each other.
    n : float
        Number of trials.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float
        Bounds of the proportion, between 0 and 1.
    """
    tail = (1 - confidence) / 2
    failures = n - successes
    low = special.betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return float(low), float(high)


def proportion_of(values: NDArray[np.bool_], confidence: float) -> tuple[float, float]:
    """Return the confidence interval of the fraction of true values, which may be dependent.

    Parameters
    ----------
    values : array of bool, shape [n]
        Values in the order in which they were observed.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float
        Bounds between 0 and 1.
    """
    share = dependence(values).share(confidence)
    return clopper_pearson(share * float(values.sum()), share * len(values), confidence)


def paired_difference(only_a: int, only_b: int, n: int, confidence: float) -> tuple[float, float]:
    """Return the confidence interval of the proportion of a minus that of b on the same samples.

    Parameters
    ----------
    only_a, only_b : int
        Number of samples that are a success only of a, and only of b.
    n : int
        Number of samples.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float
        Bounds of the difference, between -1 and 1.
    """
    shares = only_a / n, only_b / n
    low_a, high_a = clopper_pearson(only_a, n, confidence)
    low_b, high_b = clopper_pearson(only_b, n, confidence)
    # A sample counts for at most one of both, so the shares are negatively correlated.
    odds = math.prod(share / (1 - share) if share < 1 else 0.0 for share in shares)
    correlation = -math.sqrt(odds)

    def distance(of_a: float, of_b: float) -> float:
        return math.sqrt(of_a**2 + of_b**2 - 2 * correlation * of_a * of_b)

    difference = shares[0] - shares[1]
    return (
        max(-1.0, difference - distance(shares[0] - low_a, high_b - shares[1])),
        min(1.0, difference + distance(high_a - shares[0], shares[1] - low_b)),
    )
