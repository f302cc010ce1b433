"""Layout of columns on a terminal: in one table, or in several below each other.

Columns are shortened or moved in a fixed order, the least important first. Values are never
truncated and no column is omitted: a column that does not fit into the first table moves to one
below. If the width allows, a neighbour moves with it, so that no table has a single column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from rich.cells import cell_len

from pytest_infperf.records.record import Record
from pytest_infperf.report.tables.columns import Column, filled_columns

_T = TypeVar("_T")

Sanitize = Callable[[str], str]
"""Returns the characters of a text that are safe to print."""

GAP = 2
"""Spaces between two columns."""
MIN_ID_WIDTH = 24
"""Minimum width available for the ids of variants, in characters."""

SAVE_WIDTH: Sequence[tuple[Literal["shorten", "move"], str]] = (
    ("shorten", "threads"),
    ("shorten", "variant"),
    ("move", "cost"),
    ("move", "memory"),
    ("move", "size"),
    ("move", "throughput"),
    ("shorten", "verdict"),
    ("move", "p99"),
    ("move", "p50"),
    ("move", "cosine"),
    ("move", "perplexity"),
    ("move", "quality"),
    ("move", "quality change"),
    ("move", "regression"),
    ("move", "threads"),
    ("move", "verdict"),
)
"""Steps that make the first table narrower, and the key of the column. The speed-up always stays in
the first table; the verdict is the last to leave it."""

ALWAYS_SHOWN = ("variant", "verdict")
"""Keys of the columns that are shown even if they are empty."""


@dataclass(frozen=True)
class Layout:
    """Tables whose columns fit into a width."""

    tables: Sequence[Sequence[Column]]
    """Columns of each table; the first column contains the ids of the variants."""
    id_width: int
    """Width of the column of ids, in characters. Longer ids continue on the next line."""


def by_importance(records: Sequence[Record], width: int, sanitize: Sanitize) -> Layout:
    """Return a layout with the most important columns in its first table."""
    columns = {column.key: column for column in filled_columns(records, ALWAYS_SHOWN)}
    max_id_width = max(MIN_ID_WIDTH, width // 2)

    def width_of(key: str) -> int:
        natural = column_width(columns[key], records, sanitize)
        return min(natural, max_id_width) if key == "variant" else natural

    def fits(keys: Sequence[str]) -> bool:
        return sum(map(width_of, keys)) + GAP * (len(keys) - 1) <= width

    first = list(columns)
    for action, key in SAVE_WIDTH:
        if fits(first) and len(first) != len(columns) - 1:
            break
        if key not in columns:
            continue
        if action == "move":
            first.remove(key)
        else:
            shortened = columns[key].shortened()
            if column_width(shortened, records, sanitize) < width_of(key):
                columns[key] = shortened
    below: list[list[str]] = []
    moved = [key for key in columns if key not in first]
    for key in sorted(moved, key=lambda key: key != "verdict"):
        table = next((table for table in below if fits([*table, key])), None)
        if table is None:
            table = ["variant"]
            below.append(table)
        table.append(key)
    _join_lone_column(below, fits)
    tables = [[columns[key] for key in table] for table in (first, *below)]
    return Layout(tables, width_of("variant"))


def in_order(
    columns: Sequence[Column], records: Sequence[Record], width: int, sanitize: Sanitize
) -> Layout:
    """Return a layout of all columns in their order; each table begins with the ids."""
    ids, *others = columns
    id_width = min(column_width(ids, records, sanitize), max(MIN_ID_WIDTH, width // 2))
    tables: list[list[Column]] = [[ids]]
    free = width - id_width
    for column in others:
        needed = GAP + column_width(column, records, sanitize)
        if needed > free and len(tables[-1]) > 1:
            tables.append([ids])
            free = width - id_width
        tables[-1].append(column)
        free -= needed

    def fits(table: Sequence[Column]) -> bool:
        return id_width + sum(GAP + column_width(c, records, sanitize) for c in table[1:]) <= width

    _join_lone_column(tables, fits)
    return Layout(tables, id_width)


def _join_lone_column(tables: Sequence[list[_T]], fits: Callable[[Sequence[_T]], bool]) -> None:
    """Move a column of the second last table to the last one if that has a single value column."""
    if len(tables) < 2:
        return
    previous, last = tables[-2:]
    if len(last) == 2 and len(previous) > 3 and fits([*last, previous[-1]]):
        last.insert(1, previous.pop())


def column_texts(column: Column, records: Sequence[Record], sanitize: Sanitize) -> list[str]:
    """Return the header and the text of each record, aligned and padded to the same width."""
    cells = [column.make_cell(record) for record in records]
    heads = [sanitize(cell.head) for cell in cells]
    if column.numeric:
        heads = _padded(heads, align_right=True)
    tails = [f" {sanitize(cell.tail)}" if cell.tail else "" for cell in cells]
    texts = _padded([head + tail for head, tail in zip(heads, tails, strict=True)])
    return _padded([sanitize(column.header), *texts], align_right=column.numeric)


def column_width(column: Column, records: Sequence[Record], sanitize: Sanitize) -> int:
    return cell_len(column_texts(column, records, sanitize)[0])


def _padded(texts: Sequence[str], *, align_right: bool = False) -> list[str]:
    width = max(map(cell_len, texts))
    padding = [" " * (width - cell_len(text)) for text in texts]
    return [
        spaces + text if align_right else text + spaces
        for text, spaces in zip(texts, padding, strict=True)
    ]
