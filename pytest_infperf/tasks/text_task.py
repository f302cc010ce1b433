"""The base classes of tasks whose samples are texts, or pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.suite.task import Task
from pytest_infperf.tasks.data import Data, ReadsCalibration, Table, read


class JoinsTexts:
    """The part that tasks of texts, and of pairs of texts, share: samples of a given length."""

    def sized(self, inputs: Sequence[Any], number: int, length: int) -> Any:
        """Join texts until they have `length` words, which the codec truncates to tokens.

        Of pairs, each text has them.
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
    """Base class of tasks whose samples are texts, or pairs of texts, of a table."""

    _: KW_ONLY
    data: Data
    text: str = "text"
    pair: str | None = None

    def table(self, folder: Path, columns: Sequence[str]) -> Table:
        """Read the table of the test data, which has other columns than the texts too."""
        return read(self.data, folder, [self.text, *filter(None, [self.pair]), *columns])

    def inputs(self, table: Table) -> Sequence[str | tuple[str, str]]:
        """Return the texts of a table, or its pairs of texts."""
        texts = table.texts(self.text)
        return list(zip(texts, table.texts(self.pair), strict=True)) if self.pair else texts
