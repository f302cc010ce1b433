"""Accuracy: the share of outputs that equal their reference, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Accuracy:
    """Share of outputs that equal their reference, from 0 to 100 points."""

    name = "accuracy"
    unit = "points"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return whether each output is correct (1 or 0), and a column of ones, shape [samples, 2].

        Raises ValueError if there are more outputs than references, or fewer.
        """
        right = [output == reference for output, reference in zip(outputs, references, strict=True)]
        return np.column_stack([np.array(right, dtype=np.float64), np.ones(len(right))])

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the accuracy in points, from summed statistics of shape [2]."""
        return float(100 * totals[0] / totals[1])

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "exact match"
