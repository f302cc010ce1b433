"""Runs that end at the same time save one after the other."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from filelock import FileLock, Timeout

from pytest_infperf.history import saving
from pytest_infperf.history.saving import one_at_a_time
from pytest_infperf.session import benchmark_table


def save(storage: Path) -> None:
    """Number the file after the existing ones, as pytest-benchmark does."""
    number = len(list(storage.glob("*.json"))) + 1
    (storage / f"{number:04}.json").write_text("saved")


@pytest.mark.parametrize("others", [1, 4])
def test_one_saves_while_the_others_wait(tmp_path: Path, others: int) -> None:
    """All runs are ready to save before the first one saves; no other may save meanwhile."""
    about_to = [Event() for _ in range(others)]
    inside = Event()

    def another(about_to: Event) -> None:
        about_to.set()
        with one_at_a_time(tmp_path, saves=True):
            inside.set()
            save(tmp_path)

    threads = [Thread(target=another, args=(event,)) for event in about_to]
    with one_at_a_time(tmp_path, saves=True):
        for thread in threads:
            thread.start()
        assert all(event.wait(30) for event in about_to)
        assert not inside.wait(0.3)
        save(tmp_path)
    for thread in threads:
        thread.join()
    names = [path.name for path in sorted(tmp_path.iterdir())]
    runs = [f"{number:04}.json" for number in range(1, others + 2)]
    assert names == [saving.LOCK_NAME, *runs]


@pytest.mark.parametrize("error", [Timeout("held by another"), PermissionError("not yours")])
def test_without_a_lock_a_run_saves_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    class Unavailable(FileLock):
        def acquire(self, *_: object, **__: object) -> Any:
            raise error

    monkeypatch.setattr(saving, "FileLock", Unavailable)
    with one_at_a_time(tmp_path, saves=True):
        save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0001.json"]


def test_the_lock_of_a_new_storage_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes with other temporary folders must wait for each other too."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with one_at_a_time(tmp_path / "a" / "storage", saves=True):
        assert [path.name for path in (tmp_path / "a" / "storage").iterdir()] == [".infperf.lock"]
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("storage", "expected"),
    [(None, True), ("file://runs", True), ("elasticsearch+http://host/index/runs", False)],
)
def test_only_folders_need_a_lock(storage: str | None, expected: bool) -> None:
    options = {"benchmark_storage": storage, "benchmark_autosave": True}

    class Config:
        def getoption(self, name: str, default: object) -> object:
            return options.get(name, default)

    assert benchmark_table.saves(Config()) is expected


def test_runs_with_another_storage_do_not_wait(tmp_path: Path) -> None:
    inside = Event()

    def another() -> None:
        with one_at_a_time(tmp_path / "another", saves=True):
            inside.set()

    thread = Thread(target=another)
    with one_at_a_time(tmp_path / "one", saves=True):
        thread.start()
        assert inside.wait(30)
    thread.join()


def test_a_run_that_does_not_save_does_not_wait(tmp_path: Path) -> None:
    inside = Event()

    def another() -> None:
        with one_at_a_time(tmp_path, saves=False):
            inside.set()

    thread = Thread(target=another)
    with one_at_a_time(tmp_path, saves=True):
        thread.start()
        assert inside.wait(30)
    thread.join()
