"""Word and character error rates (WER and CER) of speech recognition, computed by jiwer.

Both are the number of edits (substitutions, deletions, insertions) divided by the length of the
references, in percentage points. Lower is better. Insertions can raise a rate above 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.errors import UserError


class ErrorRate:
    """Edits divided by the length of the references, in points; case and punctuation count.

    Parameters
    ----------
    of : {"words", "characters"}
        The units that are compared.
    """

    unit = "points"
    higher_is_better = False

    def __init__(self, of: Literal["words", "characters"]) -> None:
        self.name = {"words": "wer", "characters": "cer"}[of]
        self._of = of

    def statistics(self, outputs: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Return the edits and the length of the reference of each sample, shape [samples, 2].

        Raises
        ------
        UserError
            If jiwer is not installed, or all references are empty, so the rate is not defined.
        """
        jiwer = _import_jiwer()
        align = jiwer.process_words if self._of == "words" else jiwer.process_characters
        rows = []
        for output, reference in zip(outputs, references, strict=True):
            counts = align(reference, output)
            edits = counts.substitutions + counts.deletions + counts.insertions
            rows.append((edits, counts.hits + counts.substitutions + counts.deletions))
        statistics = np.array(rows, dtype=np.float64)
        if not statistics[:, 1].any():
            raise UserError(
                f"{self.name} is not defined: it is the errors divided by the {self._of} of the "
                f"references, but all {len(rows):,} references are empty. Correct the references"
            )
        return statistics

    def score(self, totals: NDArray[np.float64]) -> float:
        """Return the error rate in points, from summed statistics of shape [2].

        A resample with only empty references counts as one of length 1.
        """
        return float(100 * totals[0] / max(totals[1], 1))

    def signature(self) -> str:
        """Return the definition that scores must share to be compared."""
        from importlib.metadata import version

        return f"jiwer {version('jiwer')}, {self._of}, case and punctuation kept"


class Wer(ErrorRate):
    """Word error rate."""

    def __init__(self) -> None:
        super().__init__("words")


class Cer(ErrorRate):
    """Character error rate."""

    def __init__(self) -> None:
        super().__init__("characters")


def _import_jiwer() -> Any:
    try:
        import jiwer
    except ImportError:
        raise UserError('WER and CER need jiwer: pip install "pytest-infperf[speech]"') from None
    return jiwer
