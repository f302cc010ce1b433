"""Base classes of tasks on texts, or on pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.suite.task import Task
from pytest_infperf.tasks.data import Data, ReadsCalibration, Table, read


class JoinsTexts:
    """Mixin that makes texts, or pairs of texts, of a given length."""

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join texts until they have `length` words; the codec truncates them to `length` tokens.

        Both texts of a pair have this length.
        """
        words: list[str] = []
        while len(words) < length:
            sample = inputs[number % len(inputs)]
            words += sample.split() if isinstance(sample, str) else " ".join(sample).split()
            number += 1
        text = " ".join(words)
        return text if isinstance(inputs[0], str) else (text, text)


@dataclass(frozen=True)
class TextTask(JoinsTexts, ReadsCalibration, Task):
    """Base class of tasks on texts, or on pairs of texts, from a table."""

    _: KW_ONLY
    data: Data
    text: str = "text"
    pair: str | None = None

    def table(self, folder: Path, columns: Sequence[str]) -> Table:
        """Read the test data with the columns of the texts and `columns`."""
        return read(self.data, folder, [self.text, *filter(None, [self.pair]), *columns])

    def inputs(self, table: Table) -> Sequence[str | tuple[str, str]]:
        """Return the texts, or pairs of texts, of a table."""
        texts = table.texts(self.text)
        return list(zip(texts, table.texts(self.pair), strict=True)) if self.pair else texts
