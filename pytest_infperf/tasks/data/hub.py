"""Datasets of the Hugging Face Hub, read with the library `datasets`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.data.table import Table, table_of


@dataclass(frozen=True)
class HubDataset:
    """A dataset on the Hugging Face Hub or in a folder. Requires ``pytest-infperf[data]``.

    Parameters
    ----------
    name : str
        The id of the dataset, such as `stanfordnlp/imdb`, or a folder relative to the suite's.
    split : str, default "test"
        The split, or a slice of it as in `datasets`, such as `validation[:1000]`.
    config : str, optional
        The configuration (subset) of the dataset.
    revision : str, optional
        A branch, a tag or a commit; pin a commit so that the data never changes.

    Examples
    --------
    >>> from pytest_infperf import HubDataset, TextClassification
    >>> data = HubDataset("stanfordnlp/imdb", split="test[:1000]", revision="e6281661")
    >>> task = TextClassification(data=data)
    """

    name: str
    split: str = "test"
    config: str | None = None
    revision: str | None = None

    def table(self, folder: Path) -> Table:
        """Return the rows, with class names for class numbers and with images undecoded.

        Raises
        ------
        UserError
            If `datasets` is not installed, or cannot read the dataset.
        """
        try:
            import datasets
        except ImportError as error:
            raise UserError(
                f'reading the dataset {self.name} needs: pip install "pytest-infperf[data]"'
            ) from error
        name = str(folder / self.name) if (folder / self.name).is_dir() else self.name
        try:
            dataset = datasets.load_dataset(
                name, self.config, split=self.split, revision=self.revision
            )
        except Exception as error:
            # `datasets` raises errors of many libraries, such as pyarrow, pandas and json.
            raise UserError(
                f"cannot read the split {self.split!r} of the dataset {self.name}: {error}"
            ) from error
        for column, feature in dataset.features.items():
            if isinstance(feature, datasets.Audio):  # decoding needs more libraries
                dataset = dataset.cast_column(column, datasets.Audio(decode=False))
        names = {
            column: classes.names
            for column, feature in dataset.features.items()
            if isinstance(classes := getattr(feature, "feature", feature), datasets.ClassLabel)
        }
        for column, feature in dataset.features.items():
            if isinstance(feature, datasets.Image):
                dataset = dataset.cast_column(column, datasets.Image(decode=False))
        rows = [_with_names(row, names) for row in dataset]
        source = f"{self.name}[{self.split}]"
        return table_of(source, rows, lambda i: f"{source}, row {i + 1}", folder)


def _with_names(row: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    """Return a row with class names for class numbers, also within lists."""
    return {
        column: _named(cell, names[column]) if column in names else cell
        for column, cell in row.items()
    }


def _named(cell: Any, names: list[str]) -> Any:
    """Return the name of a class, or the names of a list; -1, an unknown class, stays."""
    if isinstance(cell, list):
        return [_named(number, names) for number in cell]
    return cell if cell in (None, -1) else names[cell]
