"""The records of a run and their file, which is updated with each record."""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.records import file as record_file
from pytest_infperf.records.file import RecordError
from pytest_infperf.records.record import Record, RunRecord


class Ledger:
    """Keeps the file of a run up to date, so that an interrupted run does not lose its results.

    The file is written when a record has changed, and only this record is converted again. It is
    synchronised to the disk only when the run ends, because this would disturb measurements. A FIFO
    or a device is written once, when the run ends. If the file cannot be written, its earlier state
    is renamed or removed.

    Parameters
    ----------
    path : Path or None
        The file; None keeps the records only in memory.
    run : RunRecord
        The run that the records belong to.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """

    def __init__(self, path: Path | None, run: RunRecord) -> None:
        self.run = run
        self.unwritten: RecordError | None = None
        """The reason why the file is not up to date, such as a full disk."""
        self._path = path
        self._written_once = False
        self._written = ""
        """The content of the file; empty if this run has not written it."""
        self._withdrawn = ""
        """Description of what happened to an earlier state of the file."""
        self._positions: dict[tuple[str, str], int] = {}
        self._texts: list[str] = []
        if path:
            record_file.check_writable(path)
            self._written_once = record_file.is_written_once(path)

    def enter(self, record: Record) -> None:
        """Add a record, or replace the record of the same suite and variant."""
        key = record.suite, record.variant
        if key not in self._positions:
            self._positions[key] = len(self.run.records)
            self.run.records.append(record)
            self._texts.append("")
        position = self._positions[key]
        self.run.records[position] = record
        if self._path:
            self._update(self._path, position, record_file.record_text(record))

    def _update(self, path: Path, position: int, text: str) -> None:
        if text == self._texts[position] and not self.unwritten:
            return
        self._texts[position] = text
        if not self._written_once:
            self._write(path, durable=False)

    def close(self) -> None:
        """Synchronise the file to the disk, at the end of the run."""
        if self._path and self._texts:
            self._write(self._path, durable=True)

    def _write(self, path: Path, *, durable: bool) -> None:
        text = record_file.run_text(self.run, self._texts)
        try:
            record_file.write_text(path, text, durable=durable)
        except RecordError as error:
            if text == self._written:
                return  # the file contains every record, and only synchronisation failed
            done = record_file.withdraw(path, keep=bool(self._written))
            self._written, self._withdrawn = "", done or self._withdrawn
            self.unwritten = RecordError(f"{error}{self._withdrawn}")
        else:
            self._written, self._withdrawn = text, ""
            self.unwritten = None
