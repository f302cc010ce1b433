"""Cosines of vectors: similarity to the baseline's vectors, and correlation with human scores.

References
----------
Cer et al. 2017, "SemEval-2017 Task 1: Semantic Textual Similarity", for the correlation with human
scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_infperf.metrics.correlation import Spearman
from pytest_infperf.metrics.sums import SampleMean
from pytest_infperf.suite.outputs import UnusableSample, is_absent


class Cosine(SampleMean):
    """Mean cosine between the vectors and the baseline's vectors of the same samples.

    Examples
    --------
    >>> from pytest_infperf import Cosine
    >>> cosine = Cosine()
    >>> cosine.score(cosine.statistics([[1.0, 0.0], [1.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]).sum(0))
    1.0
    """

    name = "cosine"
    unit = ""
    higher_is_better = True
    of_baseline: ClassVar[bool] = True
    scale = 1

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return the cosine of each sample, shape [samples].

        Raises
        ------
        UnusableSample
            If an output is not a vector, or has a different length than the baseline's.
        """
        return to_baseline(outputs, references)

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "mean cosine to the baseline"


class CosineMin:
    """Smallest cosine between a vector and the baseline's vector of the same sample.

    Examples
    --------
    >>> from pytest_infperf import CosineMin
    >>> lowest = CosineMin()
    >>> lowest.score(*lowest.reduced([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]))
    0.0
    """

    name = "cosine_min"
    unit = ""
    higher_is_better = True
    of_baseline: ClassVar[bool] = True

    def reduced(
        self, outputs: Sequence[Any], references: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the cosine of each sample, twice.

        Raises
        ------
        UnusableSample
            If an output is not a vector, or has a different length than the baseline's.
        """
        cosines = to_baseline(outputs, references).tolist()
        return cosines, cosines

    def score(self, outputs: Sequence[Any], references: Sequence[Any]) -> float:
        """Return the smallest of the cosines."""
        return float(min(outputs))

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "smallest cosine to the baseline"


class CosineFraction(SampleMean):
    """Fraction of samples whose cosine to the baseline's vector is at least a given value.

    Parameters
    ----------
    bound : float, default 0.99
        The minimum cosine.

    Examples
    --------
    >>> from pytest_infperf import CosineFraction
    >>> close = CosineFraction(bound=0.5)
    >>> close.score(close.statistics([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).sum(0))
    0.5
    """

    name = "cosine_fraction"
    unit = "fraction"
    higher_is_better = True
    of_baseline: ClassVar[bool] = True
    scale = 1

    def __init__(self, bound: float = 0.99) -> None:
        self._bound = bound

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return whether each cosine reaches the bound, shape [samples].

        Raises
        ------
        UnusableSample
            If an output is not a vector, or has a different length than the baseline's.
        """
        return to_baseline(outputs, references) >= self._bound

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return f"fraction of cosines to the baseline of at least {self._bound}"


class StsSpearman:
    """Spearman correlation of the cosines of pairs of vectors with the scores of the pairs.

    Outputs are pairs of vectors, references are numbers.

    Examples
    --------
    >>> from pytest_infperf import StsSpearman
    >>> near, far = [[1.0, 0.0], [1.0, 0.1]], [[1.0, 0.0], [0.0, 1.0]]
    >>> between = [[1.0, 0.0], [1.0, 1.0]]
    >>> similarity = StsSpearman()
    >>> reduced = similarity.reduced([near, far, between], [5.0, 0.0, 2.0])
    >>> round(similarity.score(*reduced), 3)
    1.0
    """

    name = "sts_spearman"
    unit = ""
    higher_is_better = True

    def reduced(
        self, outputs: Sequence[Any], references: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return the cosine of each pair, and the references.

        Raises
        ------
        UnusableSample
            If an output is not a pair of vectors.
        """
        cosines: list[Any] = []
        for position, output in enumerate(outputs):
            if is_absent(output):
                cosines.append(output)
            elif isinstance(output, list) and len(output) == 2:
                cosines.append(_cosine(output[0], output[1], position))
            else:
                raise UnusableSample(position, "its output is not a pair of vectors")
        return cosines, references

    def score(self, outputs: Sequence[Any], references: Sequence[Any]) -> float:
        """Return the correlation of cosines and references; NaN if it is not defined.

        Raises
        ------
        UnusableSample
            If a reference is not a number.
        """
        return Spearman().score(outputs, references)

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return f"cosines, {Spearman().signature()}"


def to_baseline(outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
    """Return the cosine of each output to the baseline's; -1 for an output that is not finite.

    For a pair of vectors, it is the smaller of the two cosines.
    """
    cosines = [
        -1.0 if is_absent(ours) or is_absent(theirs) else _nearness(ours, theirs, position)
        for position, (ours, theirs) in enumerate(zip(outputs, references, strict=True))
    ]
    return np.array(cosines, np.float64)


def _nearness(ours: Any, theirs: Any, position: int) -> float:
    if isinstance(ours, list) and ours and isinstance(ours[0], list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            raise UnusableSample(
                position, "the baseline's output has a different number of vectors"
            )
        return min(_cosine(a, b, position) for a, b in zip(ours, theirs, strict=True))
    return _cosine(ours, theirs, position)


def _cosine(ours: Any, theirs: Any, position: int) -> float:
    """Return the cosine of two vectors; 0 if a vector is zero."""
    try:
        a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    except (TypeError, ValueError):
        a = b = np.zeros(0)
    if a.ndim != 1 or b.ndim != 1 or not a.size:
        raise UnusableSample(position, "its output is not a vector")
    if a.shape != b.shape:
        raise UnusableSample(
            position, f"its output has {len(a)} numbers, but the other vector has {len(b)}"
        )
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return min(1.0, float(a @ b) / length) if length else 0.0
