"""Correlations of real-valued outputs with their references, from -1 to 1.

Pearson's r measures linear correlation [1]_. Spearman's rho is Pearson's r of the ranks, with mean
ranks for ties [2]_. Neither is defined if all outputs or all references are equal.

References
----------
.. [1] Pearson, K. (1895). Note on Regression and Inheritance in the Case of Two Parents.
   Proceedings of the Royal Society of London 58.
.. [2] Spearman, C. (1904). The Proof and Measurement of Association between Two Things. American
   Journal of Psychology 15.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pytest_infperf.metrics import values

_LEAST_VARIANCE = 1e-12
"""Fraction of the mean square below which a variance is rounding error and values are equal."""


class Pearson:
    """Pearson correlation of numeric outputs and references, from -1 to 1.

    It is computed from sums of the values, their squares and their products.

    Examples
    --------
    >>> from pytest_infperf import Pearson
    >>> statistics = Pearson().statistics([1, 2, 3], [1, 2, 6])
    >>> round(Pearson().score(statistics.sum(axis=0)), 4)
    0.9449
    """

    name = "pearson"
    unit = ""
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return 1, x, y, x^2, y^2 and x y of each sample, shape [samples, 6].

        x and y are outputs and references minus their means, divided by the largest absolute
        value.

        Raises
        ------
        UnusableSample
            If an output or a reference is not a number.
        """
        x = _standardised(values.numbers(outputs, "output"))
        y = _standardised(values.numbers(references, "reference"))
        return np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y])

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the correlation, from summed statistics of shape [6].

        It is NaN if all outputs or all references are equal.
        """
        n, x, y, xx, yy, xy = totals.tolist()
        variances = xx - x * x / n, yy - y * y / n
        for variance, squares in zip(variances, (xx, yy), strict=True):
            if not variance > _LEAST_VARIANCE * squares:
                return math.nan
        return float((xy - x * y / n) / math.sqrt(variances[0] * variances[1]))

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "Pearson's r"


class Spearman:
    """Spearman rank correlation of numeric outputs and references, from -1 to 1.

    It is computed by `scipy.stats.spearmanr`.

    Examples
    --------
    >>> from pytest_infperf import Spearman
    >>> round(Spearman().score([0.1, 0.2, 0.9, 0.8], [1, 2, 3, 4]), 4)
    0.8
    """

    name = "spearman"
    unit = ""
    higher_is_better = True

    def score(self, outputs: Sequence[Any], references: Sequence[Any]) -> float:
        """Return the correlation; NaN if all outputs or all references are equal.

        Raises
        ------
        UnusableSample
            If an output or a reference is not a number.
        """
        x, y = values.numbers(outputs, "output"), values.numbers(references, "reference")
        if np.isnan(x).any() or not np.ptp(x) or not np.ptp(y):
            return math.nan
        return float(stats.spearmanr(x, y).statistic)

    def signature(self) -> str:
        """Return the version of SciPy, and the definition that scores must share."""
        from importlib.metadata import version

        return f"scipy {version('scipy')}, Spearman's rho, mean ranks for ties"


def _standardised(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return centred and scaled values, whose squares lose no precision."""
    if not np.ptp(x):
        return np.zeros(len(x))
    centred = x - x.mean()
    standardised: NDArray[np.float64] = centred / np.abs(centred).max()
    return standardised
