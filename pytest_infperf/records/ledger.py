"""The records of a run as they come in, also from other processes, kept on disk all the time."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.records import file as record_file
from pytest_infperf.records.file import RecordError
from pytest_infperf.records.record import Record, RunRecord


class Ledger:
    """Writes the run's file anew with each record: an interrupted run keeps what it measured."""

    def __init__(self, path: Path | None, run: RunRecord) -> None:
        self._path = path
        self._run = run
        self._places: dict[tuple[str, str], int] = {}
        self.unwritten: RecordError | None = None
        """Why the file does not hold all records, such as a full disk."""
        if path:
            record_file.check_writable(path)

    def enter(self, record: Record) -> None:
        """A new record, or a fuller one of the same suite and variant."""
        key = record.suite, record.variant
        if key in self._places:
            self._run.records[self._places[key]] = record
        else:
            self._places[key] = len(self._run.records)
            self._run.records.append(record)
        if self._path:
            try:
                record_file.write(self._path, self._run)
                self.unwritten = None
            except RecordError as error:
                self.unwritten = error

    @property
    def run(self) -> RunRecord:
        return self._run
