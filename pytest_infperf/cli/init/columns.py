"""The columns of a table that a new suite reads: named by options, or found by name and content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.data import read

_KNOWN_NAMES: Mapping[str, Sequence[str]] = {
    "text": (
        "text", "sentence", "review", "content", "body", "message", "comment", "tweet", "title",
        "question", "query",
        "transcription", "transcript", "normalized_text",
    ),
    "label": ("label", "labels", "class", "category", "target", "sentiment", "stars", "intent"),
    "words": ("words", "tokens"),
    "tags": ("tags", "ner_tags", "labels", "pos_tags"),
    "audio": ("audio", "file_name", "audio_filepath", "path", "file", "filename", "wav"),
}  # fmt: skip
"""Names that a column often has, by the task's keyword, the most likely first."""
_MOST_CLASSES = 50


def choose(
    data: str, root: Path, keywords: Sequence[str], given: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the column of each keyword that is not the keyword itself.

    Parameters
    ----------
    data : str
        The file, relative to `root`.
    root : Path
        The project's root.
    keywords : sequence of str
        The keywords of the task that take a column, such as `text` and `label`.
    given : mapping
        The columns that options name.

    Raises
    ------
    UserError
        If the data cannot be read, a named column does not exist, or none can be found.
    """
    rows = read(data, root, ()).rows
    columns = list(dict.fromkeys(name for row in rows for name in row))
    chosen: dict[str, str] = {}
    for keyword in keywords:
        free = [column for column in columns if column not in chosen.values()]
        column = given.get(keyword) or _found(keyword, free, rows)
        if column not in columns:
            listed = ", ".join(columns)
            problem = (
                f"no column {column!r}" if column else f"no column that could be the {keyword}"
            )
            raise UserError(f"{data} has {problem}: name one with --{keyword}; there are {listed}")
        chosen[keyword] = column
    return {keyword: column for keyword, column in chosen.items() if column != keyword}


def _found(keyword: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the column with a known name or, of those with the right content, the best."""
    by_name = {column.strip().lower(): column for column in columns}
    for name in _KNOWN_NAMES[keyword]:
        if name in by_name:
            return by_name[name]
    if keyword == "text":
        texts = [column for column in columns if _distinct(column, rows) > 1]
        return max(texts, key=lambda column: _length(column, rows), default=None)
    if keyword == "label":
        few = [c for c in columns if 2 <= _distinct(c, rows) <= min(_MOST_CLASSES, len(rows) // 2)]
        return few[0] if len(few) == 1 else None
    return None


def _distinct(column: str, rows: Sequence[Mapping[str, Any]]) -> int:
    return len({str(row.get(column)) for row in rows})


def _length(column: str, rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(str(row.get(column, ""))) for row in rows)
