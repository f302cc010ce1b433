"""F1: the harmonic mean of precision and recall, in percentage points.

Outputs and references are labels, or lists of labels in multi-label tasks. F1 is averaged over
labels (macro), over all decisions (micro) or over samples [1]_.

References
----------
.. [1] Tsoumakas, G. and Katakis, I. (2007). Multi-Label Classification: An Overview. International
   Journal of Data Warehousing and Mining 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_infperf.errors import UserError
from pytest_infperf.metrics import values
from pytest_infperf.metrics.sums import SampleMean, f1_of_counts
from pytest_infperf.suite.labels import listed, nearest_label


class F1:
    """F1 of one class, or the mean over all classes of the references (macro F1).

    Parameters
    ----------
    positive : optional
        The class to score, for example `F1(positive="spam")`. Default: all classes.

    Examples
    --------
    >>> from pytest_infperf import F1
    >>> F1(positive="spam").signature()
    'of the class spam'
    """

    name = "f1"
    unit = "points"
    higher_is_better = True

    def __init__(self, positive: Any = None) -> None:
        self._positive = positive

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return hits, outputs and references of each class, shape [samples, 3 x classes].

        Raises
        ------
        UserError
            If the positive class is not among the references.
        UnusableSample
            If an output or a reference is neither a label nor a list of labels.
        """
        answers, truths = _label_sets(outputs, references)
        classes = sorted(frozenset().union(*truths), key=str)
        if self._positive is not None:
            if self._positive not in classes:
                near = nearest_label(self._positive, classes)
                hint = "." if near is None else f"; did you mean {near!r}?"
                raise UserError(
                    f"F1(positive={self._positive!r}): none of the {len(references):,} scored "
                    f"samples has this label, only {listed(classes)}{hint} A rare class needs a "
                    "larger sample_size, or --infperf-full"
                )
            classes = [self._positive]
        columns = [np.zeros((len(outputs), 0))]
        for label in classes:
            predicted = np.array([label in answer for answer in answers])
            true = np.array([label in truth for truth in truths])
            columns += [(predicted & true)[:, None], predicted[:, None], true[:, None]]
        return np.hstack(columns).astype(np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return F1 in points, from summed statistics of shape [3 x classes].

        A class that is neither predicted nor true counts as 0. The score is NaN without classes.
        """
        if not totals.size:
            return math.nan
        hits, predicted, true = totals.reshape(-1, 3).T
        return float(100 * np.mean(2 * hits / np.maximum(predicted + true, 1)))

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "macro" if self._positive is None else f"of the class {self._positive}"


class F1Micro:
    """F1 over all labels of all samples (micro F1), from 0 to 100 points.

    It equals the accuracy if each sample has one label.

    Examples
    --------
    >>> from pytest_infperf import F1Micro
    >>> F1Micro().statistics([["a", "b"]], [["a"]]).tolist()
    [[1.0, 2.0, 1.0]]
    """

    name = "f1_micro"
    unit = "points"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return the correct, predicted and true labels of each sample, shape [samples, 3].

        Raises
        ------
        UnusableSample
            If an output or a reference is neither a label nor a list of labels.
        """
        pairs = zip(*_label_sets(outputs, references), strict=True)
        rows = [(len(answer & truth), len(answer), len(truth)) for answer, truth in pairs]
        return np.array(rows, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return F1 in points, from summed statistics of shape [3].

        It is NaN if no label is predicted or true.
        """
        return f1_of_counts(totals)

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "micro"


class F1Samples(SampleMean):
    """Mean over the samples of the F1 of their labels, from 0 to 100 points.

    A sample without labels scores 100 if no label is predicted.

    Examples
    --------
    >>> from pytest_infperf import F1Samples
    >>> F1Samples().statistics([["a", "b", "c"], []], [["a"], []])[:, 0].tolist()
    [0.5, 1.0]
    """

    name = "f1_samples"
    unit = "points"
    higher_is_better = True

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return F1 of each sample, shape [samples].

        Raises
        ------
        UnusableSample
            If an output or a reference is neither a label nor a list of labels.
        """
        pairs = zip(*_label_sets(outputs, references), strict=True)
        return [
            2 * len(answer & truth) / (len(answer) + len(truth)) if answer or truth else 1.0
            for answer, truth in pairs
        ]

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "mean over samples; 1 where none are predicted or true"


def _label_sets(
    outputs: Sequence[Any], references: Sequence[Any]
) -> tuple[list[frozenset[Any]], list[frozenset[Any]]]:
    """Return the labels of each output and of each reference."""
    return (
        [values.label_set(i, output, "output") for i, output in enumerate(outputs)],
        [values.label_set(i, reference, "reference") for i, reference in enumerate(references)],
    )
