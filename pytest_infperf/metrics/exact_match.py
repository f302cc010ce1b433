"""Exact match: the share of texts that equal a reference, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.metrics import values
from pytest_infperf.suite.outputs import is_absent


class ExactMatch:
    """Share of texts that equal their reference, without surrounding space, from 0 to 100 points.

    Case and punctuation count. A sample may have several references, as a list.

    Examples
    --------
    >>> from pytest_infperf import ExactMatch
    >>> ExactMatch().statistics([" 42", "7"], ["42", ["seven", "VII"]])[:, 0].tolist()
    [1.0, 0.0]
    """

    name = "exact_match"
    unit = "points"
    higher_is_better = True

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        """Return whether each text is right (1 or 0), and 1, shape [samples, 2].

        Raises
        ------
        UnusableSample
            If an output or a reference is not a text.
        """
        right = [
            not is_absent(output)
            and values.text(position, output, "output").strip()
            in [text.strip() for text in values.texts(position, reference)]
            for position, (output, reference) in enumerate(zip(outputs, references, strict=True))
        ]
        return np.column_stack([np.array(right, dtype=np.float64), np.ones(len(right))])

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the share in points, from summed statistics of shape [2]."""
        return float(100 * totals[0] / totals[1])

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "equal text, surrounding space stripped"
