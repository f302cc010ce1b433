"""CoNLL files: a token and its tags on each line, a blank line after each sentence."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.errors import UserError
from pytest_infperf.tasks.data.lines import read_lines
from pytest_infperf.tasks.data.read import require_file
from pytest_infperf.tasks.data.table import Table

_DOCUMENT = "-DOCSTART-"


def read_conll(path: Path, words: int, tags: int) -> Table:
    """Return the sentences of a file, in the columns "words" and "tags".

    Columns are separated by single tabs or by spaces, as in the line of the first token. Lines
    that begin with `-DOCSTART-` and comments are skipped. A comment is a line before the first
    token of a sentence that begins with `# ` and has a different number of columns than tokens.

    Parameters
    ----------
    path : Path
        The file, in UTF-8, also with `.gz`.
    words, tags : int
        The columns of words and tags, from 0; -1 is the last one.

    Raises
    ------
    UserError
        If the file cannot be read or lacks these columns, if lines have different numbers of
        columns, or if a word or a tag is missing.
    """
    require_file(path)
    lines = read_lines(path)
    first = next((line for line in lines if _is_token(line)), "")
    separator = "\t" if "\t" in first else None
    split = [_columns(line, separator) for line in lines]
    width = len(_columns(first, separator))
    _require_two_columns(path, width, words, tags)
    rows: list[dict[str, list[str]]] = []
    places: list[str] = []
    within = False
    for number, (line, columns) in enumerate(zip(lines, split, strict=True), 1):
        if not columns or line.startswith(_DOCUMENT):
            within = False
        elif len(columns) == width:
            if not columns[words] or not columns[tags]:
                raise UserError(
                    f"{path}:{number}: a token must have a word in column {words} and a tag in "
                    f"column {tags}, but one of them is empty"
                )
            if not within:
                rows.append({"words": [], "tags": []})
                places.append(f"{path}:{number}")
            within = True
            rows[-1]["words"].append(columns[words])
            rows[-1]["tags"].append(columns[tags])
        elif within or not line.strip().startswith("# "):
            raise UserError(
                f"{path}:{number}: {len(columns)} columns, but other tokens have {width}: write a "
                "token and its tags on each line, separated by tabs or by spaces, and a blank "
                "line after each sentence"
            )
    return Table(str(path), rows, places, path.parent)


def _is_token(line: str) -> bool:
    """Return whether a line is neither blank, nor a comment, nor the start of a document."""
    return bool(line.strip(" \t")) and not line.startswith(("#", _DOCUMENT))


def _columns(line: str, separator: str | None) -> list[str]:
    """Return the columns of a line, by default separated by spaces; empty for a blank line."""
    if not line.strip(" \t"):
        return []
    if separator is None:
        return [column for column in line.split(" ") if column]
    return [column.strip(" ") for column in line.split(separator)]


def _require_two_columns(path: Path, width: int, words: int, tags: int) -> None:
    if absent := [column for column in (words, tags) if not -width <= column < width]:
        raise UserError(
            f"{path} has no column {absent[0]}: its tokens have {width} columns, numbered from 0; "
            "set those of words and tags, such as words=0, tags=-1"
        )
    if words % width == tags % width:
        raise UserError(
            f"{path}: words={words} and tags={tags} are the same column, because its tokens have "
            f"{width} columns: set different columns"
        )
