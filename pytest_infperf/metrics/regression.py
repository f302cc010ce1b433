"""Mean absolute error (MAE) and root mean squared error (RMSE) of real-valued outputs.

Both are in the unit of the references. RMSE weights large errors more [1]_. Lower is better.

References
----------
.. [1] Willmott, C. J. and Matsuura, K. (2005). Advantages of the Mean Absolute Error (MAE) over the
   Root Mean Square Error (RMSE) in Assessing Average Model Performance. Climate Research 30.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_infperf.metrics import values
from pytest_infperf.metrics.sums import SampleMean


class Mae(SampleMean):
    """Mean absolute error of numeric outputs, in the unit of the references.

    Examples
    --------
    >>> from pytest_infperf import Mae
    >>> Mae().score(Mae().statistics([1.0, 2.0], [1.0, 5.0]).sum(axis=0))
    1.5
    """

    name = "mae"
    unit = ""
    higher_is_better = False
    scale = 1

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return the absolute error of each sample, shape [samples].

        Raises
        ------
        UnusableSample
            If an output or a reference is not a number.
        """
        return np.abs(_errors(outputs, references))

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "mean absolute error"


class Rmse(SampleMean):
    """Root mean squared error of numeric outputs, in the unit of the references.

    Examples
    --------
    >>> from pytest_infperf import Rmse
    >>> Rmse().score(Rmse().statistics([1.0, 2.0], [1.0, 2.0]).sum(axis=0))
    0.0
    """

    name = "rmse"
    unit = ""
    higher_is_better = False
    scale = 1

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return the squared error of each sample, shape [samples].

        Raises
        ------
        UnusableSample
            If an output or a reference is not a number.
        """
        return _errors(outputs, references) ** 2

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the root of the mean square, from summed statistics of shape [2]."""
        return math.sqrt(super().score(totals))

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "root of the mean squared error"


def _errors(outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
    return values.numbers(outputs, "output") - values.numbers(references, "reference")
