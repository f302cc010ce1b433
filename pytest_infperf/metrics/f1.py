"""F1: the mean over classes of the harmonic mean of precision and recall, in points (macro F1).

With two classes of which one is sought, name it: `F1(positive="spam")` is that class's F1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class F1:
    name = "f1"
    unit = "points"
    higher_is_better = True

    def __init__(self, positive: Any = None) -> None:
        self._positive = positive

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """[samples, 3 x classes]: hits, outputs and references of each class."""
        classes = sorted({*references}, key=str) if self._positive is None else [self._positive]
        columns = []
        for label in classes:
            predicted = np.array([output == label for output in outputs])
            true = np.array([reference == label for reference in references])
            columns += [predicted & true, predicted, true]
        return np.column_stack(columns).astype(np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        hits, predicted, true = totals.reshape(-1, 3).T
        return float(100 * np.mean(2 * hits / np.maximum(predicted + true, 1)))

    def signature(self) -> str:
        return "macro" if self._positive is None else f"of the class {self._positive}"
