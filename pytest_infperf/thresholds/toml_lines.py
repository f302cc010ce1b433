"""Line numbers of the keys of a TOML text, which tomllib does not report.

tomllib parses each statement, so quoted and dotted keys, inline tables and values over several
lines are read in the same way as in the whole text. tomlkit does not keep positions either
(https://github.com/python-poetry/tomlkit/issues/55), and its parser accepts TOML 1.1, unlike
tomllib of Python 3.11.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

KeyPath = tuple[str, ...]


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the first line of the statement that first defines each key path, counted from 1.

    `text` must be valid TOML. Tables in an array share the array's path.
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    statement: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        statement.append(line)
        try:
            parsed = tomllib.loads("\n".join(statement))
        except tomllib.TOMLDecodeError:
            continue
        first = number - len(statement) + 1
        paths = list(_key_paths(parsed))
        if statement[0].lstrip(" \t").startswith("["):
            table = paths[-1]
        else:
            paths = [table + path for path in paths]
        for path in paths:
            lines.setdefault(path, first)
        statement.clear()
    return lines


def _key_paths(document: object) -> Iterator[KeyPath]:
    """Yield parents before their children.

    Recursion is not used because dotted keys can nest deeper than Python's recursion limit.
    """
    pending: list[tuple[KeyPath, object]] = [((), document)]
    while pending:
        prefix, value = pending.pop()
        if isinstance(value, dict):
            for key, below in value.items():
                yield (*prefix, key)
                pending.append(((*prefix, key), below))
        elif isinstance(value, list):
            pending.extend((prefix, item) for item in value)
