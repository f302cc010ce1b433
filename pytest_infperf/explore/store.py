"""What was tried, a line a trial: an exploration that was interrupted goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.explore.design import Setting


@dataclass(frozen=True)
class Outcome:
    """What one trial gave."""

    key: str
    replicate: int
    setting: Setting
    response_s: float | None = None
    """Average response time (ART); None when there was no answer."""
    cores: float | None = None
    """Average CPU usage (ACU)."""
    p99_s: float | None = None
    requests_per_hour: float | None = None
    error_rate: float | None = None
    peak_memory_bytes: float | None = None
    failure: str = ""
    """Why there is nothing: memory that ran out, most often."""
    doubt: str = ""

    @property
    def measured(self) -> bool:
        return self.response_s is not None


class OutcomeFile:
    """A file of JSON lines: first what is explored, then the outcomes."""

    def __init__(self, path: Path, what: Mapping[str, Any]) -> None:
        """Raises UserError when the file is of another exploration."""
        self.path = path
        self.outcomes: list[Outcome] = []
        if path.exists() and path.read_text().strip():
            self._read(what)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(dict(what))

    def _read(self, what: Mapping[str, Any]) -> None:
        first, *lines = self.path.read_text().splitlines()
        before = _parsed(first) or {}
        for name, value in what.items():
            if before.get(name) != json.loads(json.dumps(value)):
                raise UserError(
                    f"{self.path} explores something else: {name} was {before.get(name)!r} and is "
                    f"{value!r} now. Name another file with --out, or remove it"
                )
        # A line that was cut off when the run was ended is tried again.
        outcomes = [values for line in lines if (values := _parsed(line))]
        self.outcomes = [Outcome(**values) for values in outcomes]

    @property
    def keys(self) -> set[str]:
        return {outcome.key for outcome in self.outcomes}

    def keep(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._append(asdict(outcome))

    def _append(self, values: Mapping[str, Any]) -> None:
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn and file.tell() else "") + json.dumps(values) + "\n")
            file.flush()
            os.fsync(file.fileno())


def read(path: Path) -> tuple[Mapping[str, Any], Sequence[Outcome]]:
    """What was explored, and what came of it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return json.loads(lines[0]), [Outcome(**v) for line in lines[1:] if (v := _parsed(line))]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
