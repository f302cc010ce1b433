"""Places in a thresholds file: their names in messages, and their line numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_infperf.records.points import AT
from pytest_infperf.thresholds.toml_lines import KeyPath
from pytest_infperf.thresholds.wording import toml_key_path


@dataclass(frozen=True)
class Location:
    """A table of the file, or a key in a table: `[translation.gates] bleu.min`."""

    table: KeyPath = ()
    keys: KeyPath = ()

    def in_table(self, *names: str) -> Location:
        """Return the location of a table below this one."""
        return Location((*self.table, *names))

    def at_key(self, *names: str) -> Location:
        """Return the location of a key below this table or key."""
        return Location(self.table, (*self.keys, *names))

    def at_measure(self, measure: str) -> Location:
        """Return the location of a measure's limits; limits at a point have their own table."""
        base, _, point = measure.partition(AT)
        return self.at_key(base, "at", point) if point else self.at_key(base)

    def line(self, lines: Mapping[KeyPath, int]) -> int:
        """Return the line of the key, or of the closest table around it if the file lacks the key.

        `lines` are the file's `line_numbers`.
        """
        path = self.table + self.keys
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 1)

    def __str__(self) -> str:
        header = f"[{toml_key_path(self.table)}]" if self.table else ""
        return " ".join(filter(None, (header, toml_key_path(self.keys))))
