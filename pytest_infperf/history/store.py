"""Runs that were saved: files of pytest-benchmark's storage and of --infperf-json, read alike.

pytest-benchmark's file has our record in the `extra_info` of each benchmark, and says itself when
and at which commit it was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.records import file as record_file
from pytest_infperf.records.file import RecordError
from pytest_infperf.records.record import RunRecord
from pytest_infperf.repository import git

DEFAULT_STORAGE = "file://./.benchmarks"
"""pytest-benchmark's own default."""
_NUMBER = re.compile(r"\d{1,4}")
_LATEST = re.compile(r"latest(?:~(?P<back>\d+))?")


@dataclass(frozen=True)
class SavedRun:
    path: Path
    when: datetime
    run: RunRecord

    @property
    def commit(self) -> str:
        """Empty when the run was in no repository."""
        return str((self.run.revision or {}).get("commit") or "")

    @property
    def dirty(self) -> bool:
        return bool((self.run.revision or {}).get("dirty"))

    @property
    def number(self) -> str:
        """The number that pytest-benchmark gave it, such as 0007; empty for other files."""
        number, underscore, _ = self.path.name.partition("_")
        return number if underscore and number.isdecimal() else ""

    def __str__(self) -> str:
        commit = f"{self.commit[:10]}{' and changes' if self.dirty else ''}" if self.commit else ""
        details = ", ".join(part for part in (commit, f"{self.when:%Y-%m-%d %H:%M} UTC") if part)
        return f"{self.number or self.path.name} ({details})"


@dataclass(frozen=True)
class HistoryStore:
    """A folder with saved runs, as pytest-benchmark arranges it: a folder a machine."""

    folder: Path
    skipped: list[str] = field(default_factory=list)
    """Why a file was not read: half written, damaged, or none of ours."""

    @classmethod
    def of_uri(cls, uri: str, root: Path) -> HistoryStore:
        """Raises UserError for a storage that is not made of files."""
        scheme, separator, rest = uri.partition("://")
        if separator and scheme != "file":
            raise UserError(
                f"--storage {uri}: only runs in files can be read; name a folder, or file://FOLDER"
            )
        return cls(root / Path(rest if separator else uri).expanduser())

    def runs(self) -> list[SavedRun]:
        """All that can be read, the oldest first; what cannot is in `skipped` with its name."""
        found = []
        for path in sorted({*self.folder.glob("*/*.json"), *self.folder.glob("*.json")}):
            try:
                run = read(path)
            except RecordError as error:
                self.skipped.append(str(error))
            else:
                found.append(run)
        return sorted(found, key=lambda run: (run.when, run.path.name))

    def find(self, name: str, folder: Path) -> SavedRun:
        """A run by its file, its number, `latest`, `latest~1`, or a git revision.

        Paths and revisions are looked for from `folder`. Raises UserError when there is none.
        """
        if (path := folder / name).is_file():
            return read(path)
        runs = self.runs()
        if not runs:
            raise UserError(
                f"there is no file {name}, and no saved run in {self.folder}; save one with "
                "`pytest --infperf --benchmark-autosave` or name another folder with --storage"
            )
        if found := _LATEST.fullmatch(name):
            back = int(found["back"] or 0)
            if back < len(runs):
                return runs[-1 - back]
            raise UserError(f"{name}: there are {len(runs)} saved runs in {self.folder}")
        if _NUMBER.fullmatch(name):
            numbered = [run for run in runs if run.number == name.zfill(4)]
            if len(numbered) > 1:
                paths = ", ".join(str(run.path) for run in numbered)
                raise UserError(
                    f"{name}: several machines have a run of that number; name one of {paths}"
                )
            if numbered:
                return numbered[0]
        return self._of_revision(name, runs, folder)

    def _of_revision(self, name: str, runs: list[SavedRun], folder: Path) -> SavedRun:
        sha = git.commit_id(folder, name)
        if not sha:
            known = [run.number for run in runs if run.number]
            near = get_close_matches(name, [*known, "latest"], 1)
            raise UserError(
                f"{name} is no file, no number of a run in {self.folder} and no git revision"
                + (f"; did you mean {near[0]}?" if near else "; `infperf history` lists the runs")
            )
        at = [run for run in runs if run.commit == sha]
        if not at:
            raise UserError(
                f"no run in {self.folder} was saved at {name} ({sha[:10]}); check it out and run "
                "`pytest --infperf --benchmark-autosave`, or compare directly with "
                "`pytest --infperf --infperf-against`"
            )
        return next((run for run in reversed(at) if not run.dirty), at[-1])


def read(path: Path) -> SavedRun:
    """A saved run, whichever tool wrote the file; RecordError names the file and the fault."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: it can't be read ({error.strerror or error})") from error
    except ValueError as error:
        raise RecordError(
            f"{path}: it is no whole JSON file ({error}); it may be half written"
        ) from error
    if isinstance(document, dict) and "benchmarks" in document:
        return _of_benchmark_file(path, document)
    run = record_file.read(path)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return SavedRun(path, datetime.fromisoformat(run.when) if run.when else written, run)


def _of_benchmark_file(path: Path, document: dict[str, Any]) -> SavedRun:
    try:
        records = list(_records(document))
        if not records:
            raise RecordError("no benchmark in it was measured with --infperf")
        commit = document.get("commit_info") or {}
        whole = {
            "schema": 1,
            "host": records[0][1],
            "revision": {
                "commit": commit.get("id"),
                "branch": commit.get("branch"),
                "dirty": commit.get("dirty"),
            },
            "records": [record for record, _ in records],
        }
        when = datetime.fromisoformat(document["datetime"])
        return SavedRun(
            path,
            when if when.tzinfo else when.replace(tzinfo=UTC),
            record_file.from_document(whole),
        )
    except (RecordError, KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path}: this is no saved run of ours: {error}") from error


def _records(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The record of each variant, and its host; the last of one that several tests published."""
    by_variant: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}
    for benchmark in document["benchmarks"]:
        info = dict(benchmark.get("extra_info") or {})
        if {"suite", "variant", "measures", "host"} <= info.keys():
            host = info.pop("host")
            by_variant[info["suite"], info["variant"]] = info, host
    yield from by_variant.values()
