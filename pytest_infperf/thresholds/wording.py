"""Keys, values and suggestions in error messages, always on one line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches

from pytest_infperf.thresholds.toml_lines import KeyPath

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MAX_LENGTH = 60


def toml_string(text: str) -> str:
    """Return `text` as a TOML string on one line, shortened if it is long."""
    if len(text) > _MAX_LENGTH:
        text = f"{text[:_MAX_LENGTH]}..."
    return json.dumps(text, ensure_ascii=not text.isprintable())


def toml_key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else toml_string(name)


def toml_key_path(path: KeyPath) -> str:
    return ".".join(map(toml_key, path))


def describe_value(value: object) -> str:
    """Return a short scalar in TOML's notation, or the type of any other value."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return toml_string(value)
        case int() if abs(value) > sys.float_info.max:
            return "an integer out of range"
        case int() | float():
            return str(value)
        case dict():
            return "a table"
        case list():
            return "an array"
    return "a date or time"


def suggest(name: str, valid_names: Iterable[str]) -> str:
    """Return a remedy for a wrong name: the most similar valid name, or all of them."""
    by_folded = {valid.casefold(): valid for valid in valid_names}
    if close := get_close_matches(name.casefold(), by_folded, n=1):
        return f"Did you mean {toml_string(by_folded[close[0]])}?"
    if not by_folded:
        return "Remove it: no name is valid here."
    return f"Choose from: {', '.join(map(toml_key, by_folded.values()))}."
