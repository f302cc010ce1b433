"""F1: the harmonic mean of precision and recall, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class F1:
    """F1 of one class, or the mean over all classes of the references (macro F1).

    Parameters
    ----------
    positive : optional
        The class to score, for example `F1(positive="spam")`. Default: all classes.
    """

    name = "f1"
    unit = "points"
    higher_is_better = True

    def __init__(self, positive: Any = None) -> None:
        self._positive = positive

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return hits, outputs and references of each class, shape [samples, 3 x classes]."""
        classes = sorted({*references}, key=str) if self._positive is None else [self._positive]
        columns = []
        for label in classes:
            predicted = np.array([output == label for output in outputs])
            true = np.array([reference == label for reference in references])
            columns += [predicted & true, predicted, true]
        return np.column_stack(columns).astype(np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return F1 in points, from summed statistics of shape [3 x classes].

        A class that is neither predicted nor true counts as 0.
        """
        hits, predicted, true = totals.reshape(-1, 3).T
        return float(100 * np.mean(2 * hits / np.maximum(predicted + true, 1)))

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "macro" if self._positive is None else f"of the class {self._positive}"
