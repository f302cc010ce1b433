"""Which line each key of a TOML text stands on, because tomllib does not say.

tomllib itself parses every statement, so quoted and dotted keys, inline tables and values over
several lines mean here what they mean there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

KeyPath = tuple[str, ...]


def line_numbers(text: str) -> dict[KeyPath, int]:
    """The first line, from 1, of the statement that first names each key path.

    The text is one that tomllib has accepted. Tables in an array share the array's path.
    """
    found: dict[KeyPath, int] = {}
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
            found.setdefault(path, first)
        statement.clear()
    return found


def _key_paths(document: object) -> Iterator[KeyPath]:
    """Parents before their children; a loop, because dotted keys nest deeper than a stack does."""
    waiting: list[tuple[KeyPath, object]] = [((), document)]
    while waiting:
        prefix, value = waiting.pop()
        if isinstance(value, dict):
            for key, below in value.items():
                yield (*prefix, key)
                waiting.append(((*prefix, key), below))
        elif isinstance(value, list):
            waiting.extend((prefix, item) for item in value)
