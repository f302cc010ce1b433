"""The outcomes of trials on disk, one per line, so that an interrupted exploration can continue."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.explore.design import Setting
from pytest_infperf.records.continuation import check_same


@dataclass(frozen=True)
class Outcome:
    """The result of one trial."""

    key: str
    """`Trial.key`."""
    replicate: int
    setting: Setting
    response_s: float | None = None
    """Average response time (ART), in seconds; None without a response."""
    cores: float | None = None
    """Average CPU usage (ACU), in cores."""
    p99_s: float | None = None
    """99th percentile of the response time, in seconds."""
    requests: int | None = None
    """Number of requests, including failed ones."""
    requests_per_hour: float | None = None
    error_rate: float | None = None
    """Fraction of requests that were not answered with 2xx."""
    peak_memory_bytes: float | None = None
    energy_per_request_j: float | None = None
    """Counted energy of the whole host per answered request, in joules; None if not counted."""
    estimated_energy_per_request_j: float | None = None
    """Estimate of that energy, in joules, if it is not counted; None without an estimate."""
    failure: str = ""
    """Reason why nothing was measured, often that memory ran out."""
    doubt: str = ""
    """Reason why the load generator may be the bottleneck."""

    @property
    def measured(self) -> bool:
        """Whether the trial was answered."""
        return self.response_s is not None


class OutcomeFile:
    """A file of JSON lines: a description of the exploration first, then its outcomes.

    Parameters
    ----------
    path : Path
        The file; it is created if it does not exist or is empty.
    exploration : Mapping
        Description of the exploration, in JSON types.

    Raises
    ------
    UserError
        If the file contains another exploration, or the path is not a regular file.
    """

    def __init__(self, path: Path, exploration: Mapping[str, Any]) -> None:
        self.path = path
        self.outcomes: list[Outcome] = []
        if path.exists() and not path.is_file():
            raise UserError(
                f"--out {path}: it is not a regular file, so an exploration could not be "
                "continued: specify a file"
            )
        if path.exists() and path.read_text().strip():
            previous, self.outcomes = read(path)
            check_same(path, "exploration", previous, exploration)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(dict(exploration))

    @property
    def keys(self) -> set[str]:
        """Keys of the trials that have an outcome."""
        return {outcome.key for outcome in self.outcomes}

    def add(self, outcome: Outcome) -> None:
        """Append an outcome to the file, and flush it to the disk."""
        self.outcomes.append(outcome)
        self._append(asdict(outcome))

    def _append(self, values: Mapping[str, Any]) -> None:
        ends_mid_line = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            separator = "\n" if ends_mid_line and file.tell() else ""
            file.write(separator + json.dumps(values) + "\n")
            file.flush()
            os.fsync(file.fileno())


def read(path: Path) -> tuple[Mapping[str, Any], list[Outcome]]:
    """Return the description of the exploration, and its outcomes.

    An incomplete last line is skipped, so that its trial is run again.
    """
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    outcomes = [Outcome(**values) for line in lines if (values := _parse(line))]
    return _parse(first) or {}, outcomes


def _parse(line: str) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
