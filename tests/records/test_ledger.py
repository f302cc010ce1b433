"""The file of a run is complete at any time, and is written when a record changes."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_infperf.records import file as record_file
from pytest_infperf.records.file import RecordError
from pytest_infperf.records.ledger import Ledger
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord


def record(variant: str, value: float = 1.0) -> Record:
    return Record("echo", variant, {"size": Measure(value, "bytes")})


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the paths of files, in the order in which they are written."""
    paths: list[Path] = []
    write_text = record_file.write_text

    def counted(path: Path, text: str, *, durable: bool) -> None:
        paths.append(path)
        write_text(path, text, durable=durable)

    monkeypatch.setattr(record_file, "write_text", counted)
    return paths


def test_the_file_has_each_record_once_in_the_order_of_arrival(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    ledger = Ledger(path, RunRecord({"cpu_model": "x"}, None))
    for entered in (record("slow"), record("fast"), record("slow", 2.0)):
        ledger.enter(entered)
    expected = RunRecord({"cpu_model": "x"}, None, [record("slow", 2.0), record("fast")])
    assert record_file.read(path) == expected == ledger.run
    record_file.write(tmp_path / "whole.json", expected)
    assert path.read_text() == (tmp_path / "whole.json").read_text()


def test_an_unchanged_record_is_not_written_again(tmp_path: Path, writes: list[Path]) -> None:
    ledger = Ledger(tmp_path / "run.json", RunRecord({}, None))
    ledger.enter(record("slow"))
    ledger.enter(record("slow"))
    assert len(writes) == 1
    ledger.enter(record("slow", 2.0))
    assert len(writes) == 2


def test_unwritten_records_are_written_with_the_next_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    ledger = Ledger(path, RunRecord({}, None))

    def full(path: Path, text: str, *, durable: bool) -> None:
        raise RecordError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(record_file, "write_text", full)
        ledger.enter(record("slow"))
    assert str(ledger.unwritten) == "the disk is full"
    assert not path.exists()
    ledger.enter(record("slow"))
    assert ledger.unwritten is None
    assert record_file.read(path).records == [record("slow")]


def test_a_full_disk_leaves_no_file_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    ledger = Ledger(path, RunRecord({}, None))
    ledger.enter(record("slow"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _full_for(path))
        ledger.enter(record("fast"))
        ledger.enter(record("other"))
    assert not path.exists()
    incomplete = tmp_path / "run.json.incomplete"
    assert [found.variant for found in record_file.read(incomplete).records] == ["slow"]
    assert "the disk is full" in str(ledger.unwritten)
    assert f"the earlier content is in {incomplete}" in str(ledger.unwritten)
    ledger.close()
    assert ledger.unwritten is None
    assert len(record_file.read(path).records) == 3


def test_a_full_disk_leaves_no_file_of_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    record_file.write(path, RunRecord({}, None, [record("slow")]))
    ledger = Ledger(path, RunRecord({}, None))
    monkeypatch.setattr(os, "replace", _full_for(path))
    ledger.enter(record("fast"))
    assert [*tmp_path.iterdir()] == []
    assert "the file of an earlier run was removed" in str(ledger.unwritten)


def test_a_whole_file_stays_if_the_disk_is_full_only_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    ledger = Ledger(path, RunRecord({}, None))
    ledger.enter(record("slow"))
    monkeypatch.setattr(os, "replace", _full_for(path))
    ledger.close()
    assert ledger.unwritten is None
    assert record_file.read(path).records == [record("slow")]


def test_a_disk_that_is_full_again_leaves_no_file_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    ledger = Ledger(path, RunRecord({}, None))
    for name in ("slow", "fast"):
        ledger.enter(record(name))
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", _full_for(path))
            ledger.enter(record(f"{name}-too"))
        assert not path.exists()
        assert "the earlier content is in" in str(ledger.unwritten)


def _full_for(path: Path) -> Callable[[Path, Path], None]:
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target == path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    return full


def test_a_fifo_is_written_to_once_at_the_end(tmp_path: Path) -> None:
    fifo = tmp_path / "run.json"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    ledger = Ledger(fifo, RunRecord({}, None))
    for name in ("slow", "fast"):
        ledger.enter(record(name))
    ledger.close()
    assert len(json.loads(os.read(reader, 1 << 16))["records"]) == 2
    os.close(reader)


def test_the_file_is_forced_to_the_disk_at_the_end_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    ledger = Ledger(tmp_path / "run.json", RunRecord({}, None))
    ledger.enter(record("slow"))
    ledger.enter(record("fast"))
    assert synced == []
    ledger.close()
    assert len(synced) == 1


def test_without_a_file_the_records_are_kept_in_memory(tmp_path: Path, writes: list[Path]) -> None:
    ledger = Ledger(None, RunRecord({}, None))
    ledger.enter(record("slow"))
    assert ledger.run.records == [record("slow")]
    assert writes == []


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="this is a folder"):
        Ledger(tmp_path, RunRecord({}, None))
