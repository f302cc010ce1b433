"""Top-k accuracy: the fraction of references among the k best labels, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from pytest_infperf.errors import UserError
from pytest_infperf.metrics import values
from pytest_infperf.metrics.sums import SampleMean
from pytest_infperf.suite.outputs import UnusableSample


class TopK(SampleMean):
    """Fraction of references that are among the first k labels of the output, in points.

    An output is a list of labels, best first; a single label counts as a list of one. A reference
    is a label.

    Parameters
    ----------
    k : int, default 5
        The number of labels that count; the name of the measure contains it, as in
        `top5_accuracy`.

    Raises
    ------
    UserError
        If `k` is less than 1.

    Examples
    --------
    >>> from pytest_infperf import TopK
    >>> TopK(2).name
    'top2_accuracy'
    >>> TopK(2).statistics([["cat", "dog"], "owl"], ["dog", "cat"])[:, 0].tolist()
    [1.0, 0.0]
    """

    unit = "points"
    higher_is_better = True

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise UserError(f"TopK({k}): k must be at least 1")
        self.name = f"top{k}_accuracy"
        self._k = k

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return whether each reference is found, shape [samples].

        Raises
        ------
        UnusableSample
            If an output is not a list of labels, or a reference is not one label.
        """
        found = []
        for position, (output, reference) in enumerate(zip(outputs, references, strict=True)):
            if isinstance(reference, list | tuple | dict | set):
                raise UnusableSample(position, f"its reference is {reference!r}, not one label")
            found.append(reference in values.ranked(position, output)[: self._k])
        return found

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return f"among the first {self._k}"
