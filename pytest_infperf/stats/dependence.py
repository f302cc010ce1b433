"""How much less a series of yes and no tells than as many independent ones: the design effect.

Neighbouring queries share the state of the host: a burst of other work slows many of them, and n
queries are then no n observations. The series is cut into runs of 2, 4, 8 ... consecutive values.
The counts of independent values vary by the binomial variance; the factor by which they vary more
is the design effect [1]_, and n observations count as n divided by it, with the degrees of freedom
of the runs that it was estimated from [2]_.

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
"""Minimum number of runs whose counts show a variance."""
_LEVEL = 0.2
"""Error of calling independent values dependent, for all lengths of runs together."""


@dataclass(frozen=True)
class Dependence:
    """The dependence of neighbouring values."""

    effect: float = 1.0
    """The design effect: the number of values that count as one."""
    runs: float = math.inf
    """The number of runs that it was estimated from; infinite for independent values."""

    def share(self, confidence: float) -> float:
        """Return the number of independent observations that one value counts as, at most 1.

        Parameters
        ----------
        confidence : float
            Confidence of the interval that is wanted, between 0 and 1.
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
        The largest design effect of all lengths of runs whose counts vary more than those of
        independent values. Short series, and those of equal values, show none.
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
