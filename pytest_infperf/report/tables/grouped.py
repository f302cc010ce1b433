"""Tables whose rows are in groups, with headings that may be wider than the columns below them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

_GAP = " "
_INDENT = "    "

Row = Sequence[Text]
"""The cells of a row."""


@dataclass(frozen=True)
class Group:
    """Rows below a heading."""

    heading: str
    rows: list[Row] = field(default_factory=list)


def table_lines(
    headers: Sequence[str], groups: Sequence[Group], right: Collection[str], width: int
) -> Iterator[Text]:
    """Yield the lines of a table. No word is broken, and no cell is cut.

    Parameters
    ----------
    headers : sequence of str
        The headers of the columns.
    groups : sequence of Group
        The rows, which have a cell for each header.
    right : collection of str
        The headers of the columns that are aligned to the right.
    width : int
        The width of the terminal. The last cell of a row that exceeds it has a line of its own.
    """
    header = [Text(text, "bold") for text in headers]
    columns = zip(header, *(row for group in groups for row in group.rows), strict=True)
    widths = [max(cell_len(cell.plain) for cell in column) for column in columns]

    def lines_of(row: Row) -> Iterator[Text]:
        cells = [cell.copy() for cell in row]
        for cell, name, cells_wide in zip(cells, headers, widths, strict=True):
            cell.align("right" if name in right else "left", cells_wide)
        line = Text(_GAP).join(cells)
        line.rstrip()
        if line.cell_len <= width or not row[-1]:
            yield line
            return
        line = Text(_GAP).join(cells[:-1])
        line.rstrip()
        yield line
        yield Text(_INDENT).append_text(row[-1])

    yield from lines_of(header)
    for group in groups:
        yield Text(group.heading, "bold")
        for row in group.rows:
            yield from lines_of(row)
