"""The columns of a new suite's table: given by options, or found by name and content."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.data import read
from pytest_infperf.tasks.speech import MANIFESTS

Rows = Sequence[Mapping[str, Any]]

_KNOWN_NAMES: Mapping[str, Sequence[str]] = {
    "text": (
        "text", "sentence", "review", "content", "body", "message", "comment", "tweet", "title",
        "question", "query",
        "transcription", "transcript", "normalized_text", "words",
    ),
    "label": ("label", "labels", "class", "category", "target", "sentiment", "stars", "intent"),
    "words": ("words", "tokens"),
    "tags": ("tags", "ner_tags", "labels", "pos_tags"),
    "score": ("score", "similarity", "relevance", "rating", "label", "target", "stars"),
    "audio": ("audio", "file_name", "audio_filepath", "path", "file", "filename", "wav"),
    "image": ("image", "img", "photo", "file_name", "path", "file", "filename", "image_path"),
}  # fmt: skip
"""Common names of a column, by the task's keyword, the most likely first."""
_SUFFIXES: Mapping[str, Collection[str]] = {
    "audio": (".wav", ".flac", ".ogg", ".mp3"),
    "image": (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
}
"""Suffixes of the files in a column, by the task's keyword."""
_MOST_CLASSES = 50


def table_in(data: str, root: Path) -> str | None:
    """Return the path of the table: the data itself, or the manifest in a folder, if any."""
    if not (root / data).is_dir():
        return data
    found = [f"{data}/{name}" for name in MANIFESTS if (root / data / name).is_file()]
    return found[0] if len(found) == 1 else None


def rows_of(data: str, root: Path) -> Rows:
    """Return the rows of a table. Raises UserError if it cannot be read."""
    return read(data, root, ()).rows


def choose(
    data: str,
    rows: Rows,
    keywords: Sequence[str],
    given: Mapping[str, str | None],
    labels: Collection[str] = (),
    confirm: Callable[[str, str | None], str | None] = lambda keyword, found: found,
) -> dict[str, str]:
    """Return the column of each keyword.

    Parameters
    ----------
    data : str
        The name of the table, for messages.
    rows : sequence of mapping
        The rows of the table.
    keywords : sequence of str
        The keywords of the task for columns, such as `text` and `label`.
    given : mapping
        The columns given by options.
    labels : collection of str
        The labels of the model, if they have names.
    confirm : callable
        Callable that asks about a column, whether it was found or not.

    Raises
    ------
    UserError
        If a named column does not exist, or none can be found.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    chosen: dict[str, str] = {}
    for keyword in keywords:
        taken = {*chosen.values(), *filter(None, given.values())}
        free = [column for column in columns if column not in taken]
        column = given.get(keyword) or confirm(keyword, find(keyword, free, rows, labels))
        if column not in columns:
            listed = ", ".join(columns)
            problem = (
                f"no column {column!r}" if column else f"no column that could be the {keyword}"
            )
            raise UserError(
                f"{data} has {problem}: specify one with --{keyword}; the columns are {listed}"
            )
        chosen[keyword] = column
    return chosen


def find(
    keyword: str, columns: Sequence[str], rows: Rows, labels: Collection[str] = ()
) -> str | None:
    """Return the column whose content or name fits a keyword; None if there is not exactly one.

    A column of the model's labels, or of files with the right suffix, is preferred to a known name.
    """
    by_name = {column.strip().lower(): column for column in columns}
    known = [by_name[name] for name in _KNOWN_NAMES.get(keyword, (keyword,)) if name in by_name]
    fitting = [column for column in columns if _fits(keyword, _values(column, rows), labels)]
    for column in known:
        if column in fitting:
            return column
    if len(fitting) == 1:
        return fitting[0]
    if known:
        return known[0]
    if keyword == "text":
        texts = [column for column in columns if len(_values(column, rows)) > 1]
        return max(texts or columns, key=lambda column: _length(column, rows), default=None)
    if keyword == "label":
        most = min(_MOST_CLASSES, len(rows) // 2)
        few = [column for column in columns if 2 <= len(_values(column, rows)) <= most]
        return few[0] if len(few) == 1 else None
    return None


def other_texts(rows: Rows, chosen: Mapping[str, str]) -> list[str]:
    """Return the unused columns with several words in most rows."""
    free = dict.fromkeys(name for row in rows for name in row if name not in chosen.values())
    return [
        column
        for column in free
        if sum(len(str(row.get(column, "")).split()) > 1 for row in rows) > len(rows) / 2
    ]


def _fits(keyword: str, values: Collection[str], labels: Collection[str]) -> bool:
    """Return whether the values of a column clearly fit the keyword."""
    if keyword == "label":
        return bool(labels) and {*values} <= {*labels}
    if suffixes := _SUFFIXES.get(keyword):
        return all(PurePath(value).suffix.lower() in suffixes for value in values)
    return keyword == "score" and all(map(_is_number, values))


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _values(column: str, rows: Rows) -> set[str]:
    return {str(row.get(column)) for row in rows}


def _length(column: str, rows: Rows) -> int:
    return sum(len(str(row.get(column, ""))) for row in rows)
