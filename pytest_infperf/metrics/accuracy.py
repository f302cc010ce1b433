"""Accuracy: the share of outputs that equal their reference, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.metrics import values


class Accuracy:
    """Share of outputs that equal their reference, from 0 to 100 points.

    Where both are lists of labels, all labels have to be right, in any order.
    """

    name = "accuracy"
    unit = "points"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return whether each output is correct (1 or 0), and a column of ones, shape [samples, 2].

        Raises ValueError if there are more outputs than references, or fewer, and UnusableSample
        if a list has anything but labels.
        """
        pairs = enumerate(zip(outputs, references, strict=True))
        right = [_is_right(position, *pair) for position, pair in pairs]
        return np.column_stack([np.array(right, dtype=np.float64), np.ones(len(right))])

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the accuracy in points, from summed statistics of shape [2]."""
        return float(100 * totals[0] / totals[1])

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "exact match"


def _is_right(position: int, output: Any, reference: Any) -> bool:
    if isinstance(output, list | tuple) and isinstance(reference, list | tuple):
        labels = values.label_set(position, output, "output")
        return labels == values.label_set(position, reference, "reference")
    return bool(output == reference)
