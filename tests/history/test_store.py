"""Saved runs of both tools are read and found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.history.store import HistoryStore, SavedRun, read, storage_folder
from pytest_infperf.records import file as record_file
from tests.history.saved import run_record, write_benchmark_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A storage with three runs, which were not written in the order of time."""
    storage = tmp_path / ".benchmarks"
    for number, day in ((2, 2), (1, 1), (3, 3)):
        run = run_record(number, commit=str(number) * 40, when=f"2026-11-0{day}T00:00:00+00:00")
        write_benchmark_file(storage, number, run)
    return storage


def p50_ms(run: SavedRun) -> float:
    return 1e3 * run.run.records[1].measures["latency_p50"].value


def test_runs_are_in_the_order_of_time(folder: Path) -> None:
    found = HistoryStore(folder).runs
    assert [run.number for run in found] == ["0001", "0002", "0003"]
    assert [p50_ms(run) for run in found] == pytest.approx([1, 2, 3])
    assert found[0].commit == "1" * 40
    assert found[0].run.host["cpu_model"] == "Model A"


@pytest.mark.parametrize(
    ("name", "expected"), [("latest", 3), ("latest~2", 1), ("2", 2), ("0002", 2)]
)
def test_a_run_is_found_by_number_and_position(folder: Path, name: str, expected: int) -> None:
    assert p50_ms(HistoryStore(folder).find(name, folder)) == pytest.approx(expected)


def test_a_run_is_found_by_its_file(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    record_file.write(path, run_record(7))
    found = HistoryStore(folder).find("record.json", tmp_path)
    assert p50_ms(found) == pytest.approx(7)
    assert found.when.isoformat() == "2026-11-01T00:00:00+00:00"


def test_a_run_is_found_by_its_revision(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", *identity, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    storage = tmp_path / "storage"
    for number, dirty in ((1, False), (2, True)):
        sha = git("rev-parse", "HEAD")
        write_benchmark_file(storage, number, run_record(number, commit=sha, dirty=dirty))
    assert HistoryStore(storage).find("HEAD", tmp_path).number == "0001", "the one without changes"
    git("commit", "--quiet", "--allow-empty", "-m", "two")
    with pytest.raises(UserError, match="was saved at HEAD"):
        HistoryStore(storage).find("HEAD", tmp_path)


def test_a_number_that_two_machines_have_is_ambiguous(folder: Path) -> None:
    other = write_benchmark_file(folder, 2, run_record(9), machine="Darwin")
    with pytest.raises(UserError, match="several machines") as raised:
        HistoryStore(folder).find("2", folder)
    assert str(other) in str(raised.value)


def test_a_truncated_file_is_skipped_with_its_name(folder: Path) -> None:
    (broken,) = folder.glob("*/0002*")
    broken.write_bytes(broken.read_bytes()[:100])
    (folder / "Linux" / "0009_other.json").write_text('{"benchmarks": [], "datetime": "x"}')
    skipped: list[str] = []
    store = HistoryStore(folder, skipped.append)
    assert [run.number for run in store.runs] == ["0001", "0003"]
    assert store.find("latest", folder).number == "0003", "the files are read once"
    half, foreign = skipped
    assert str(broken) in half
    assert "half written" in half
    assert "0009_other.json" in foreign
    assert "it contains no benchmarks" in foreign


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "it is not a complete JSON file"),
        ('{"schema": 1, "host": {}, "revision": null, "records": [], "when": "yesterday"}',
         "when: 'yesterday' is not a time in ISO 8601"),
    ],
)  # fmt: skip
def test_a_damaged_record_is_skipped_with_its_reason(folder: Path, text: str, message: str) -> None:
    (folder / "Linux" / "0009_x.json").write_text(text)
    skipped: list[str] = []
    assert len(HistoryStore(folder, skipped.append).runs) == 3
    (reason,) = skipped
    assert message in reason


def test_a_time_without_an_offset_is_utc(folder: Path) -> None:
    record_file.write(folder / "local.json", run_record(when="2026-11-02T12:00:00"))
    runs = HistoryStore(folder).runs
    assert [run.path.name[:5] for run in runs] == ["0001_", "0002_", "local", "0003_"]


def test_a_name_that_forges_a_line_is_an_error(tmp_path: Path) -> None:
    run = run_record()
    run.records[1].variant = "fast\n::error::forged"
    record_file.write(tmp_path / "run.json", run)
    with pytest.raises(UserError, match=r"the name 'fast\\n::error::forged' cannot be printed"):
        read(tmp_path / "run.json")


def test_a_variant_with_two_records_is_an_error(tmp_path: Path) -> None:
    run = run_record()
    run.records.append(run.records[1])
    record_file.write(tmp_path / "run.json", run)
    with pytest.raises(UserError, match=r"records\[2\]: there is another record of suite\[fast\]"):
        read(tmp_path / "run.json")


def test_entries_of_tests_in_extra_info_are_ignored(tmp_path: Path) -> None:
    path = write_benchmark_file(tmp_path, 1, run_record())
    document = json.loads(path.read_text())
    document["benchmarks"][0]["extra_info"]["dataset"] = "ours"
    path.write_text(json.dumps(document))
    assert read(path).run.records == run_record().records


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("latest~7", "there are 3 saved runs"),
        ("77", "is not a file, the number of a run"),
        ("latset", "did you mean latest?"),
    ],
)
def test_a_name_without_a_run_is_reported(folder: Path, name: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        HistoryStore(folder).find(name, folder)
    assert message in str(raised.value)


def test_an_empty_storage_names_the_option_that_saves(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--benchmark-autosave"):
        HistoryStore(tmp_path).find("latest", tmp_path)


def test_a_storage_that_is_not_a_folder_is_refused(tmp_path: Path) -> None:
    assert storage_folder("file://./runs", tmp_path) == tmp_path / "runs"
    with pytest.raises(UserError, match="only runs in files"):
        storage_folder("elasticsearch+http://host/x", tmp_path)


@pytest.mark.parametrize("commit", ["unversioned", "unknown"])
def test_a_run_outside_a_repository_is_named_without_a_commit(tmp_path: Path, commit: str) -> None:
    """pytest-benchmark writes a word instead of the commit's id."""
    path = write_benchmark_file(tmp_path, 1, run_record(commit=commit))
    assert str(read(path)) == "0001 (2026-11-01 00:00 UTC)"
