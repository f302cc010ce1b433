"""What is wrong in a thresholds file: collected, so that one run shows every mistake.

Each problem is one line with file, line, key and remedy, whatever characters the file holds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pytest_infperf.errors import UserError
from pytest_infperf.records.points import AT
from pytest_infperf.thresholds.toml_lines import KeyPath

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Location:
    """A table of the file, or a key in it: `[translation.gates] bleu.min`."""

    table: KeyPath = ()
    key: KeyPath = ()

    def within(self, *tables: str) -> Location:
        return Location((*self.table, *tables))

    def at(self, *keys: str) -> Location:
        return Location(self.table, (*self.key, *keys))

    def of_measure(self, measure: str) -> Location:
        """Where its limits stand: those at a point in a table of their own."""
        base, _, point = measure.partition(AT)
        return self.at(base, "at", point) if point else self.at(base)

    @property
    def path(self) -> KeyPath:
        return self.table + self.key

    def __str__(self) -> str:
        header = f"[{dotted(self.table)}]" if self.table else ""
        return " ".join(filter(None, (header, dotted(self.key))))


@dataclass(frozen=True)
class Problem:
    line: int
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.line}: {self.key}: {self.message}. {self.remedy}"


class ThresholdsError(UserError):
    """Every problem of a thresholds file, in the order of its lines."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__(source, self.problems)

    def __str__(self) -> str:
        return "\n".join(f"{self.source}:{problem}" for problem in self.problems)


class Findings:
    """The problems found so far in one file."""

    def __init__(self, source: str, lines: Mapping[KeyPath, int]) -> None:
        self._source = source
        self._lines = lines
        self._problems: list[Problem] = []

    def add(self, location: Location, message: str, remedy: str) -> None:
        line = line_of(location.path, self._lines)
        self._problems.append(Problem(line, str(location), message, remedy))

    def raise_if_any(self) -> None:
        if self._problems:
            raise ThresholdsError(self._source, self._problems)


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    """The line of the key, or of the nearest table around it when the key is missing."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def nearest(wrong: str, right: Iterable[str]) -> str:
    """A remedy: the name that was probably meant, or all there are."""
    by_folded = {name.casefold(): name for name in right}
    if close := get_close_matches(wrong.casefold(), by_folded, n=1):
        return f"Did you mean {quoted(by_folded[close[0]])}?"
    if not by_folded:
        return "Remove it: there are none to choose from."
    return f"Choose from: {', '.join(map(shown_key, by_folded.values()))}."


def quoted(text: str) -> str:
    """As a TOML string, on one line and of a readable length."""
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]}..."
    return json.dumps(text, ensure_ascii=not text.isprintable())


def shown_key(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) else quoted(part)


def dotted(path: KeyPath) -> str:
    return ".".join(map(shown_key, path))


def described(value: object) -> str:
    """A value of the file in a message: short scalars as they are, anything else by its type."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case int() | float():
            number = finite(value)
            return "a number out of range" if number is None else f"{value}"
        case dict():
            return "a table"
        case list():
            return "an array"
    return "a date or time"


def finite(value: object) -> float | None:
    """The value as a float, None when it is no number, not finite, or too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
