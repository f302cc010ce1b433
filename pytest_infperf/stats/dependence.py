"""The design effect of a series of yes and no: the number of dependent values that count as one.

Neighbouring queries share the state of the host: a burst of other work slows many of them, so n
queries are fewer than n independent observations. The series is divided into runs of 2, 4, 8 ...
consecutive values. For independent values, the counts of the runs have the binomial variance. The
ratio of the observed variance to it is the design effect [1]_. The n observations count as n
divided by the design effect, with the degrees of freedom of the runs [2]_.

References
----------
.. [1] Kish, L. (1965). Survey Sampling, chapter 8.
.. [2] Korn, E. L. and Graubard, B. I. (1998). Confidence Intervals for Proportions with Small
   Expected Number of Positive Counts Estimated from Survey Data. Survey Methodology 24.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

_LEAST_RUNS = 8
"""Minimum number of runs for an estimate of the variance of their counts."""
_LEVEL = 0.2
"""Probability of treating independent values as dependent, over all lengths of runs."""


@dataclass(frozen=True)
class Dependence:
    """The dependence of neighbouring values."""

    effect: float = 1.0
    """The design effect: the number of values that count as one."""
    runs: float = math.inf
    """The number of runs from which the effect was estimated; infinite for independent values."""

    def share(self, confidence: float) -> float:
        """Return the number of independent observations that one value counts as, at most 1.

        Parameters
        ----------
        confidence : float
            Confidence of the required interval, between 0 and 1.
        """
        if not math.isfinite(self.runs) or confidence >= 1:
            return 1 / self.effect
        tail = (1 + confidence) / 2
        narrower = special.ndtri(tail) / special.stdtrit(self.runs - 1, tail)
        return float(narrower**2) / self.effect


def dependence(values: NDArray[np.bool_]) -> Dependence:
    """Return the dependence of neighbours in a series of yes and no.

    Parameters
    ----------
    values : array of bool, shape [n]
        The series, in the order in which it was measured.

    Returns
    -------
    Dependence
        The largest design effect among the lengths of runs whose counts vary more than those of
        independent values. It is 1 for short series and for series of equal values.
    """
    lengths = [2**i for i in range(1, 64) if len(values) >= 2**i * _LEAST_RUNS]
    found = Dependence()
    for length in lengths:
        runs = len(values) // length
        counts = values[: runs * length].reshape(runs, length).sum(axis=1, dtype=np.float64)
        mean = counts.mean()
        binomial = mean * (1 - mean / length)
        if not binomial:
            continue
        statistic = float(((counts - mean) ** 2).sum() / binomial)
        effect = statistic / (runs - 1)
        if effect > found.effect and special.chdtrc(runs - 1, statistic) < _LEVEL / len(lengths):
            found = Dependence(effect, runs)
    return found
