"""Scores from summed statistics, shared by several metrics: mean over samples, F1 of counts."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SampleMean(ABC):
    """Base class of metrics that are the mean of one number per sample.

    Attributes
    ----------
    scale : int
        The factor of the mean: 100 for fractions in points.
    """

    scale: ClassVar[int] = 100

    @abstractmethod
    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return the number of each sample, shape [samples]."""

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return the number of each sample, and 1, shape [samples, 2].

        Raises
        ------
        UserError
            If the metric cannot score an output or a reference.
        """
        numbers = np.asarray(self.of_samples(outputs, references), np.float64)
        return np.column_stack([numbers, np.ones(len(numbers))])

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the mean, from summed statistics of shape [2]."""
        return float(self.scale * totals[0] / totals[1])


def f1_of_counts(totals: NDArray[np.float64]) -> float:
    """Return F1 in points, from the numbers of correct, predicted and true decisions, shape [3].

    It is NaN if none is predicted or true.
    """
    right, predicted, true = totals.tolist()
    return 100 * 2 * right / (predicted + true) if predicted + true else math.nan
