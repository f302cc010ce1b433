"""F1: the harmonic mean of precision and recall, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.errors import UserError
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
        """
        classes = sorted({*references}, key=str)
        if self._positive is not None:
            if self._positive not in classes:
                near = nearest_label(self._positive, classes)
                hint = "." if near is None else f"; did you mean {near!r}?"
                raise UserError(
                    f"F1(positive={self._positive!r}): none of the {len(references):,} samples "
                    f"that are scored has this label, only {listed(classes)}{hint} A class that is "
                    "rare needs a larger sample_size, or --infperf-full"
                )
            classes = [self._positive]
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
