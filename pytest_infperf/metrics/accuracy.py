"""Accuracy: the share of outputs that equal their reference, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Accuracy:
    name = "accuracy"
    unit = "points"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """[samples, 2]: correct, and one for each sample."""
        right = [output == reference for output, reference in zip(outputs, references, strict=True)]
        return np.column_stack([np.array(right, dtype=np.float64), np.ones(len(right))])

    def score(self, totals: NDArray[np.float64]) -> float:
        return float(100 * totals[0] / totals[1])

    def signature(self) -> str:
        return "exact match"
