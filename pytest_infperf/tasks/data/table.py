"""A table of test data: rows with named columns, and the location of each row for messages."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.data.images import image_of

Label = str | list[str]
"""A label, or the list of labels of a multi-label sample."""

_GAPS = ("", "na", "n/a", "nan", "null", "none")
"""Texts that mean a missing value, in lower case."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no", "")


@dataclass(frozen=True)
class Table:
    """Rows of test data.

    Parameters
    ----------
    source : str
        The source of the rows, for messages.
    rows : sequence of mapping
        The cells of each row by column name.
    places : sequence of str
        The location of each row, such as `data/test.csv:7`.
    folder : Path
        The folder to which paths in cells are relative: the file's or the suite's.

    Raises
    ------
    UserError
        If there is no row.
    """

    source: str
    rows: Sequence[Mapping[str, Any]]
    places: Sequence[str]
    folder: Path

    def __post_init__(self) -> None:
        if not self.rows:
            raise UserError(f"the test data {self.source} has no rows: it needs at least one")

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column as texts; numbers become texts too.

        Raises
        ------
        UserError
            If the column or a cell is missing, or a cell has another type.
        """
        return [_text(cell, place) for cell, place in self.cells(column)]

    def lists(self, column: str) -> list[list[str]]:
        """Return the cells of a column of lists of texts, such as the words of a sentence.

        Raises
        ------
        UserError
            If the column or a cell is missing, or a cell has another type.
        """
        return [_list(cell, place) for cell, place in self.cells(column)]

    def labels(self, column: str | Sequence[str]) -> list[Label]:
        """Return the labels of each row, as texts.

        Parameters
        ----------
        column : str or sequence of str
            The column with the label: a name, a number or a list of these. Or one column for each
            label, with a true cell (1, true, yes) in the rows that have the label.

        Raises
        ------
        UserError
            If a column or a cell is missing, or a cell has another type.
        """
        if isinstance(column, str):
            return [_label(cell, place) for cell, place in self.cells(column)]
        flags = {name: [_flag(*cell) for cell in self.cells(name)] for name in column}
        return [[name for name in column if flags[name][i]] for i in range(len(self.rows))]

    def numbers(self, column: str) -> list[float]:
        """Return the cells of a column as finite numbers.

        Raises
        ------
        UserError
            If the column or a cell is missing, or a cell is not a finite number.
        """
        return [_number(cell, place) for cell, place in self.cells(column)]

    def images(self, column: str) -> list[Any]:
        """Return the images of a column, uint8, shape [rows, columns] or [rows, columns, 3].

        A cell is a path relative to the table's folder, the bytes of a file, a Pillow image or an
        array.

        Raises
        ------
        UserError
            If the column or a cell is missing, or an image cannot be read.
        """
        return [image_of(cell, self.folder, place) for cell, place in self.cells(column)]

    def cells(self, column: str) -> list[tuple[Any, str]]:
        """Return each cell of a column with its location: that of its row, and the column's name.

        Raises
        ------
        UserError
            If the column or a cell is missing.
        """
        return [(_present(cell, place), place) for cell, place in self._raw_cells(column)]

    def _raw_cells(self, column: str) -> list[tuple[Any, str]]:
        """Return each cell of a column, including None, with its location.

        Raises UserError if the column does not exist.
        """
        if column not in (known := self.columns):
            near = get_close_matches(column, map(str, known), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {_listed(known)}"
            raise UserError(f"the test data {self.source} has no column {column!r}; {hint}")
        return [
            (row.get(column), f"{place}: {column!r}")
            for row, place in zip(self.rows, self.places, strict=True)
        ]

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the order in which they appear."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def values(
        self, column: str, *, as_texts: bool = False, missing_as_nan: bool = False
    ) -> list[int] | list[float] | list[Any]:
        """Return the cells of a column as values of one type: whole numbers, numbers or texts.

        Truth values become 1 and 0.

        Parameters
        ----------
        column : str
            The name of the column.
        as_texts : bool, default False
            Whether numbers stay texts.
        missing_as_nan : bool, default False
            Whether a missing cell becomes NaN: an empty cell, or one with a text such as NA, NaN,
            null or None.

        Raises
        ------
        UserError
            If the column or a cell is missing, a number is not finite, a cell is neither a number
            nor a text, or the column has both texts and numbers.
        """
        found: list[Any] = []
        first_text = ""
        for cell, place in self._raw_cells(column):
            value = _value(cell, place, as_text=as_texts, gaps=_GAPS if missing_as_nan else ("",))
            if value is None and not missing_as_nan:
                raise UserError(
                    f'{place} is missing: write a value, remove the row, or set missing="nan" if '
                    "the model accepts missing values"
                )
            if isinstance(value, str):
                first_text = first_text or f"{place} is {cell!r}"
            found.append(math.nan if value is None else value)
        present = [value for value in found if value == value]
        if not present:
            raise UserError(f"the column {column!r} of the test data {self.source} is empty")
        if first_text:
            if not all(isinstance(value, str) for value in present):
                raise UserError(
                    f"{first_text}, but other cells of the column are numbers: correct it, set "
                    f'missing="nan" if the value is missing, or list the column in '
                    f"texts=({column!r}, ...)"
                )
            truths = {"true": 1, "false": 0}
            if not as_texts and all(isinstance(v, str) and v.lower() in truths for v in found):
                return [truths[value.lower()] for value in found]
            return found
        return found if all(isinstance(value, int) for value in found) else [*map(float, found)]


def table_of(source: str, rows: Sequence[Any], place: Callable[[int], str], folder: Path) -> Table:
    """Return the table of rows, which must be mappings; `place` returns the location of row i."""
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise UserError(
                f"{place(i)}: a row must be an object with a value for each column, such as "
                f'{{"text": ...}}, not {_described(row)}'
            )
    return Table(source, rows, [place(i) for i in range(len(rows))], folder)


def table_of_columns(source: str, columns: Mapping[str, Sequence[Any]], folder: Path) -> Table:
    """Return the table of columns, which must be sequences of the same length."""
    for name, cells in columns.items():
        if isinstance(cells, str | bytes) or not hasattr(cells, "__len__"):
            raise UserError(
                f"the column {name!r} of the test data {source} must be a list with a value for "
                f"each row, not {_described(cells)}"
            )
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len({*lengths.values()}) > 1:
        found = ", ".join(f"{name!r} has {length:,}" for name, length in lengths.items())
        raise UserError(f"the columns of the test data {source} have different lengths: {found}")
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return table_of(source, rows, lambda i: f"{source}, row {i + 1}", folder)


def _present(cell: Any, place: str) -> Any:
    """Return a cell. Raises UserError if it is missing: None, or NaN as in pandas."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        raise UserError(f"{place} is missing: write a value, or remove the row")
    return cell.item() if hasattr(cell, "item") and not getattr(cell, "ndim", 0) else cell


def _value(cell: Any, place: str, *, as_text: bool, gaps: Sequence[str]) -> Any:
    """Return a number or a text, or None for a missing value."""
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in gaps):
        return None
    if hasattr(cell, "item") and not getattr(cell, "ndim", 0):
        cell = cell.item()
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if as_text and isinstance(cell, str | int | float):
        return str(cell)
    if isinstance(cell, str):
        text = cell.strip()
        if not _NUMBER.fullmatch(text):
            return cell
        cell = int(text) if text.lstrip("+-").isdigit() else float(text)
    if not isinstance(cell, int | float):
        raise UserError(f"{place} must be a number or a text, not {_described(cell)}")
    if isinstance(cell, float) and math.isinf(cell):
        raise UserError(f"{place} must be a finite number, not {cell!r}")
    return int(cell) if isinstance(cell, int) and abs(cell) < 2**63 else float(cell)


def _text(cell: Any, place: str) -> str:
    if isinstance(cell, str | int | float):
        return str(cell)
    raise UserError(f"{place} must be a text, not {_described(cell)}")


def _list(cell: Any, place: str) -> list[str]:
    cell = cell.tolist() if getattr(cell, "ndim", 0) == 1 else cell
    if not isinstance(cell, list | tuple):
        raise UserError(
            f"{place} must be a list, such as the words of a sentence, not {_described(cell)}; "
            "JSON, JSON Lines and Parquet files support lists"
        )
    return [_text(item, place) for item in cell]


def _label(cell: Any, place: str) -> Label:
    if isinstance(cell, list | tuple | set) or getattr(cell, "ndim", 0) == 1:
        return [str(_label(label, place)) for label in cell]
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, int):
        return str(cell)
    if not isinstance(cell, str):
        raise UserError(
            f"{place} must be a label: a name, a number or a list of these, not {_described(cell)}"
        )
    if not cell.strip():
        raise UserError(f"{place} is empty: write a label, or remove the row")
    return cell


def _flag(cell: Any, place: str) -> bool:
    text = str(cell).strip().lower().removesuffix(".0")
    if text not in (*_TRUE, *_FALSE):
        raise UserError(f"{place} must be 1 or 0 (true or false, yes or no), not {cell!r}")
    return text in _TRUE


def _number(cell: Any, place: str) -> float:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{place} must be a number, not {cell!r}")
    return number


def _described(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else f'{text[:37]}...'}"


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(repr, names)) or "no columns"
