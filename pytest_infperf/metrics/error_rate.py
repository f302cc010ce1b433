"""Error rates of recognised speech as jiwer counts them: WER of words, CER of characters.

Both are edits (substitutions, deletions, insertions) over what the references have, in percentage
points; lower is better, and a hypothesis of nonsense can have over 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pytest_infperf.errors import UserError


class ErrorRate:
    unit = "points"
    higher_is_better = False

    def __init__(self, of: Literal["words", "characters"]) -> None:
        self.name = {"words": "wer", "characters": "cer"}[of]
        self._of = of

    def statistics(self, outputs: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        """[samples, 2]: edits, and words or characters of the reference."""
        jiwer = _jiwer()
        count = jiwer.process_words if self._of == "words" else jiwer.process_characters
        rows = []
        for output, reference in zip(outputs, references, strict=True):
            found = count(reference, output)
            edits = found.substitutions + found.deletions + found.insertions
            rows.append((edits, found.hits + found.substitutions + found.deletions))
        return np.array(rows, dtype=np.float64)

    def score(self, totals: NDArray[np.float64]) -> float:
        return float(100 * totals[0] / totals[1])

    def signature(self) -> str:
        from importlib.metadata import version

        return f"jiwer {version('jiwer')}, {self._of}, case and punctuation kept"


class Wer(ErrorRate):
    def __init__(self) -> None:
        super().__init__("words")


class Cer(ErrorRate):
    def __init__(self) -> None:
        super().__init__("characters")


def _jiwer() -> Any:
    try:
        import jiwer
    except ImportError:
        raise UserError('WER and CER need jiwer: pip install "pytest-infperf[speech]"') from None
    return jiwer
