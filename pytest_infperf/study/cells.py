"""The cells of a study, which are variants on instance types, and the folder of their records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout

from pytest_infperf.errors import UserError
from pytest_infperf.records import file as record_file
from pytest_infperf.records.continuation import check_same
from pytest_infperf.records.file import RecordError
from pytest_infperf.records.points import at
from pytest_infperf.records.record import RunRecord

_DESCRIPTION = "study.json"
_LOCK = ".lock"


@dataclass(frozen=True)
class StudyCell:
    """A variant on an instance type."""

    instance_type: str
    variant: str

    def __str__(self) -> str:
        return f"{self.variant} on {self.instance_type}"


@dataclass(frozen=True)
class StudyFolder:
    """The records of a study on disk, one file per cell, so that a study can be continued.

    Parameters
    ----------
    folder : Path
        The folder; it is created if it does not exist.
    protocol : Mapping
        How the cells are measured, in JSON types. A study with another protocol is not continued.
    load : str
        The name of the load.

    Raises
    ------
    UserError
        If the folder contains a study with another protocol, or cannot be read or written.
    """

    folder: Path
    protocol: Mapping[str, Any]
    load: str

    def __post_init__(self) -> None:
        path = self.folder / _DESCRIPTION
        if not path.exists():
            record_file.write_text(path, json.dumps(self.protocol, indent=2) + "\n")
            return
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError) as error:
            raise UserError(
                f"{path} is not a description of a study: {error}. Use another folder with --out"
            ) from None
        check_same(self.folder, "study", before, self.protocol)

    def path(self, cell: StudyCell) -> Path:
        """Return the file of a cell's record."""
        folder, name = (quote(part, safe="@+:= ") for part in (cell.instance_type, cell.variant))
        return self.folder / folder / f"{name}.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder. Raises UserError if another study runs in it."""
        lock = FileLock(self.folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"another study runs in {self.folder}: wait until it ends, or use another folder "
                "with --out"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def is_complete(self, cell: StudyCell) -> bool:
        """Return whether a cell was measured under the load.

        Raises UserError if its file is damaged.
        """
        name = at("requests_per_hour", self.load)
        return any(name in r.measures for run in self.records([cell]) for r in run.records)

    def records(self, cells: Sequence[StudyCell]) -> Iterator[RunRecord]:
        """Yield the existing records of the cells. Raises UserError if a file is damaged."""
        for cell in cells:
            path = self.path(cell)
            if not path.exists():
                continue
            try:
                yield record_file.read(path)
            except RecordError as error:
                raise RecordError(f"{error}: remove it to measure {cell} again") from error
