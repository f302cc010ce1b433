"""Accuracy: the fraction of outputs that equal their reference, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from pytest_infperf.metrics import values
from pytest_infperf.metrics.sums import SampleMean


class Accuracy(SampleMean):
    """Fraction of outputs that equal their reference, from 0 to 100 points.

    Lists of labels are equal if they contain the same labels, in any order.
    """

    name = "accuracy"
    unit = "points"
    higher_is_better = True

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return whether each output is correct, shape [samples].

        Raises ValueError if the numbers of outputs and references differ, and UnusableSample if a
        list contains values other than labels.
        """
        pairs = enumerate(zip(outputs, references, strict=True))
        return [_is_right(position, *pair) for position, pair in pairs]

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "exact match"


def _is_right(position: int, output: Any, reference: Any) -> bool:
    if isinstance(output, list | tuple) and isinstance(reference, list | tuple):
        labels = values.label_set(position, output, "output")
        return labels == values.label_set(position, reference, "reference")
    return bool(output == reference)
