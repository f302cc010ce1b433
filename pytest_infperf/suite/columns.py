"""Rows of a table as arrays, the features of models on tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FEATURES = "features"
"""Name of the array with all columns, in tables without text columns."""

Kind = type[int] | type[float] | type[str]
"""The type of the cells of a column."""


class Columns(Mapping[str, Any]):
    """The rows of one query by column, shape [batch, 1], and in one array, shape [batch, columns].

    Integers are int64, other numbers float64, and texts objects. The array of all columns is named
    `features` and is float32; a table with text columns has none.

    Parameters
    ----------
    rows : sequence of mapping
        The cells of each row by column.
    kinds : mapping of str to type
        The type of each column, in the order of the columns.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Kind]) -> None:
        import numpy as np

        self.kinds = kinds
        self.matrix: Any = None
        """All columns in float64, shape [batch, columns]; None if there are text columns."""
        self._arrays: dict[str, Any] = {}
        if str not in kinds.values():
            self.matrix = np.array([[row[name] for name in kinds] for row in rows], np.float64)
            self._arrays[FEATURES] = self.matrix.astype(np.float32)
        else:
            self._arrays = {
                name: np.array([[row[name]] for row in rows], _DTYPES[kind])
                for name, kind in kinds.items()
            }

    def __getitem__(self, name: str) -> Any:
        if name not in self._arrays:
            column = list(self.kinds).index(name) if name in self.kinds else None
            if column is None:
                raise KeyError(name)
            array = self.matrix[:, column : column + 1].astype(_DTYPES[self.kinds[name]])
            self._arrays[name] = array
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays or name in self.kinds

    def __iter__(self) -> Iterator[str]:
        return iter({**self._arrays, **self.kinds})

    def __len__(self) -> int:
        return len({**self._arrays, **self.kinds})

    def selected(self, names: Sequence[str]) -> Any:
        """Return the columns with these names in float64, shape [batch, names].

        The table must have no text columns.
        """
        if list(names) == list(self.kinds):
            return self.matrix
        order = list(self.kinds)
        return self.matrix[:, [order.index(name) for name in names]]

    def frame(self, names: Sequence[str]) -> Any:
        """Return the columns with these names as a `pandas.DataFrame`."""
        import pandas

        return pandas.DataFrame({name: self[name][:, 0] for name in names})


_DTYPES: Mapping[Kind, str] = {int: "int64", float: "float64", str: "object"}
