"""Saved runs, from files of pytest-benchmark's storage and of --infperf-json.

A file of pytest-benchmark contains our record in the `extra_info` of each benchmark, and the time
and the commit of the run in its own fields. Benchmarks without such a record are read too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.history import plain_benchmarks
from pytest_infperf.records import file as record_file
from pytest_infperf.records.file import RecordError
from pytest_infperf.records.record import Record, RunRecord
from pytest_infperf.repository import git

DEFAULT_STORAGE = "file://./.benchmarks"
"""The default storage of pytest-benchmark."""
_NUMBER = re.compile(r"\d{1,4}")
_LATEST = re.compile(r"latest(?:~(?P<back>\d+))?")

_RECORD_FIELDS = [field.name for field in fields(Record)]
"""Keys of our record in `extra_info`; tests may add others."""

_NO_COMMIT = ("unknown", "unversioned")
"""Ids that pytest-benchmark writes if git failed, and outside a repository."""


@dataclass(frozen=True)
class SavedRun:
    """A run that was read from a file.

    Its text form names it in messages: the number, or the name of the file, with commit and time.
    """

    path: Path
    when: datetime
    run: RunRecord

    @property
    def commit(self) -> str:
        """Full id of the commit; empty for a run outside a repository."""
        return str((self.run.revision or {}).get("commit") or "")

    @property
    def dirty(self) -> bool:
        """Whether the working tree had uncommitted changes."""
        return bool((self.run.revision or {}).get("dirty"))

    @property
    def number(self) -> str:
        """Number that pytest-benchmark gave the file, for example 0007; empty for other files."""
        number, underscore, _ = self.path.name.partition("_")
        return number if underscore and number.isdecimal() else ""

    def __str__(self) -> str:
        commit = f"{self.commit[:10]}{' and changes' if self.dirty else ''}" if self.commit else ""
        details = ", ".join(part for part in (commit, f"{self.when:%Y-%m-%d %H:%M} UTC") if part)
        return f"{self.number or self.path.name} ({details})"


def storage_folder(uri: str, root: Path) -> Path:
    """Return the folder of a storage, given as a path or as `file://FOLDER`, relative to `root`.

    Raises UserError for a storage that is not a folder of files.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme != "file":
        raise UserError(
            f"--storage {uri}: only runs in files can be read; name a folder, or file://FOLDER"
        )
    return root / Path(rest if separator else uri).expanduser()


@dataclass(frozen=True)
class HistoryStore:
    """A folder of saved runs, arranged as pytest-benchmark does: one subfolder per machine."""

    folder: Path
    report_skipped: Callable[[str], None] = lambda reason: None
    """Callback for each file that cannot be read, with its path and the reason."""

    @cached_property
    def runs(self) -> list[SavedRun]:
        """All readable runs, the oldest first. The folder is read once, on first access."""
        runs = []
        for path in sorted({*self.folder.glob("*/*.json"), *self.folder.glob("*.json")}):
            try:
                runs.append(read(path))
            except RecordError as error:
                self.report_skipped(str(error))
        return sorted(runs, key=lambda run: (run.when, run.path.name))

    def find(self, name: str, folder: Path) -> SavedRun:
        """Return the run given by path, number or git revision, or as `latest` or `latest~1`.

        Paths are relative to `folder`, and its repository resolves the revision. Raises UserError
        if no run has that name.
        """
        if (path := folder / name).is_file():
            return read(path)
        if not self.runs:
            raise no_saved_run(self.folder, f"there is no file {name}, and")
        if latest := _LATEST.fullmatch(name):
            steps_back = int(latest["back"] or 0)
            if steps_back < len(self.runs):
                return self.runs[-1 - steps_back]
            raise UserError(f"{name}: there are {len(self.runs)} saved runs in {self.folder}")
        if _NUMBER.fullmatch(name):
            numbered = [run for run in self.runs if run.number == name.zfill(4)]
            if len(numbered) > 1:
                paths = ", ".join(str(run.path) for run in numbered)
                raise UserError(
                    f"{name}: several machines have a run with that number; name one of {paths}"
                )
            if numbered:
                return numbered[0]
        return self._at_revision(name, folder)

    def _at_revision(self, name: str, folder: Path) -> SavedRun:
        """Return the last run at a revision, preferably one without uncommitted changes."""
        sha = git.commit_id(folder, name)
        if not sha:
            if words := git.refusal(folder):
                raise UserError(
                    f"{name} is not a file or the number of a run in {self.folder}, and git cannot "
                    f"read the repository: {words}"
                )
            numbers = [run.number for run in self.runs if run.number]
            near = get_close_matches(name, [*numbers, "latest"], 1)
            raise UserError(
                f"{name} is not a file, the number of a run in {self.folder}, or a git revision"
                + (f"; did you mean {near[0]}?" if near else "")
                + "; `infperf compare --list` lists the runs"
            )
        matches = [run for run in self.runs if run.commit == sha]
        if not matches:
            raise UserError(
                f"no run in {self.folder} was saved at {name} ({sha[:10]}); check it out and run "
                "`pytest --benchmark-autosave` (of suites with --infperf), or compare directly "
                "with `pytest --infperf --infperf-against`"
            )
        return next((run for run in reversed(matches) if not run.dirty), matches[-1])


def no_saved_run(folder: Path, beginning: str = "there is") -> UserError:
    """Return the error for a storage without a saved run.

    Parameters
    ----------
    folder : Path
        The folder of the storage.
    beginning : str, default "there is"
        The words before "no saved run".
    """
    return UserError(
        f"{beginning} no saved run in {folder}; save one with `pytest --benchmark-autosave` "
        "(of suites with --infperf), or name another folder with --storage"
    )


def with_records(saved: SavedRun) -> SavedRun:
    """Return the run. Raises UserError if it has no records."""
    if not saved.run.records:
        raise UserError(f"{saved.path}: this file has no records; name files of --infperf-json")
    return saved


def read(path: Path) -> SavedRun:
    """Return the run in a file of pytest-benchmark or of --infperf-json.

    Raises RecordError, with the file's path and the reason, if the file cannot be read.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: it cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(
            f"{path}: it is not a complete JSON file ({error}); it may be half written"
        ) from error
    if isinstance(document, dict) and "benchmarks" in document:
        return _from_benchmark_file(path, document)
    run = record_file.read(path)
    _check_names(path, run)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return SavedRun(path, _time(run.when) if run.when else written, run)


def _check_names(path: Path, run: RunRecord) -> None:
    """Raise RecordError for a name with a line break, which could forge a line of a job's log."""
    for record in run.records:
        for name in (record.suite, record.variant, *record.measures):
            if not name.isprintable():
                raise RecordError(f"{path}: the name {name!r} cannot be printed")


def _time(text: str) -> datetime:
    """Parse a time in ISO 8601, which is UTC if it has no offset."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _from_benchmark_file(path: Path, document: dict[str, Any]) -> SavedRun:
    try:
        records = _records(document)
        plain = plain_benchmarks.records_of(
            [benchmark for benchmark in document["benchmarks"] if not _has_record(benchmark)]
        )
        if not records and not plain:
            raise RecordError("it contains no benchmarks")
        commit = document.get("commit_info") or {}
        host = plain_benchmarks.host_of(document.get("machine_info") or {})
        if commit.get("id") in _NO_COMMIT:
            commit = {}
        run = {
            "schema": 1,
            "host": records[0][1] if records else host,
            "revision": {
                "commit": commit.get("id"),
                "branch": commit.get("branch"),
                "dirty": commit.get("dirty"),
            },
            "records": [record for record, _ in records],
        }
        when = _time(document["datetime"])
        found = record_file.from_document({**run, "when": when.isoformat()})
        found.records.extend(plain)
    except (RecordError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise RecordError(
            f"{path}: this is not a saved run of pytest-benchmark or pytest-infperf: {reason}"
        ) from error
    _check_names(path, found)
    return SavedRun(path, when, found)


def _records(document: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the record and the host of each variant: those in the last of its benchmarks."""
    by_variant: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}
    for benchmark in filter(_has_record, document["benchmarks"]):
        info = benchmark["extra_info"]
        record = {name: info[name] for name in _RECORD_FIELDS if name in info}
        by_variant[record["suite"], record["variant"]] = record, info["host"]
    return list(by_variant.values())


def _has_record(benchmark: dict[str, Any]) -> bool:
    """Return whether a benchmark in pytest-benchmark's file contains our record."""
    return {"suite", "variant", "measures", "host"} <= (benchmark.get("extra_info") or {}).keys()
