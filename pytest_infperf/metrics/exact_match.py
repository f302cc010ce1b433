"""Exact match: the fraction of texts that equal a reference, in percentage points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from pytest_infperf.metrics import values
from pytest_infperf.metrics.sums import SampleMean
from pytest_infperf.suite.outputs import is_absent


class ExactMatch(SampleMean):
    """Fraction of texts that equal a reference, without surrounding space, from 0 to 100 points.

    Case and punctuation count. A sample can have several references, as a list.

    Examples
    --------
    >>> from pytest_infperf import ExactMatch
    >>> ExactMatch().statistics([" 42", "7"], ["42", ["seven", "VII"]])[:, 0].tolist()
    [1.0, 0.0]
    """

    name = "exact_match"
    unit = "points"
    higher_is_better = True

    def of_samples(self, outputs: Sequence[Any], references: Sequence[Any]) -> ArrayLike:
        """Return whether each text is correct, shape [samples].

        Raises
        ------
        UnusableSample
            If an output or a reference is not a text.
        """
        return [
            not is_absent(output)
            and values.text(position, output, "output").strip()
            in [text.strip() for text in values.texts(position, reference)]
            for position, (output, reference) in enumerate(zip(outputs, references, strict=True))
        ]

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        return "equal text, surrounding space stripped"
