"""Builders: their number at a time, limited by memory, and the builds of one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from time import sleep
from typing import Any

import pytest

from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.errors import WorkerError
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import building, messages
from pytest_infperf.worker.building import Builders
from pytest_infperf.worker.variant_worker import Assignment

NEEDED = building._RUNTIME_BYTES + building._COPIES * 1000
"""Memory for a build of the model of `assignment`."""


class Process:
    """Fake process of a builder; counts the processes that build at a time."""

    lock = Lock()
    started: list[Process]
    building: int
    most: int
    meeting: Barrier | None

    def __init__(self, name: str, checkout: Checkout, timeout_s: float) -> None:
        self.name = name
        self.built: list[str] = []
        self.alive = True
        type(self).started.append(self)

    def rename(self, name: str) -> None:
        self.name = name

    def ask(self, request: messages.Build, reply_type: type[messages.Built]) -> messages.Built:
        cls = type(self)
        with cls.lock:
            cls.building += 1
            cls.most = max(cls.most, cls.building)
        if cls.meeting:
            cls.meeting.wait()
        else:
            sleep(0.02)  # long enough for a second one, if nothing keeps it back
        with cls.lock:
            cls.building -= 1
        self.built.append(self.name)
        if self.name == "failing":
            raise WorkerError("it failed")
        return messages.Built({})

    def close(self) -> None:
        self.alive = False

    kill = close


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> type[Process]:
    Process.started = []
    Process.building = Process.most = 0
    Process.meeting = None
    monkeypatch.setattr(building, "WorkerProcess", Process)
    return Process


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "weights.bin").write_bytes(b"\0" * 1000)
    return tmp_path


def build_all(builders: Builders, model: Path, names: Sequence[str], threads: int = 0) -> list[Any]:
    """Build variants of a model in as many threads; return their evidence or their errors.

    Variants whose names begin with the same capital may be built in one process.
    """

    def build(name: str) -> Any:
        builder = name[0] if name[0].isupper() else None
        blueprint = Blueprint(name, name, {}, str(model), name, None, None, None, builder)
        assignment = Assignment(
            SuiteAddress(str(model), "suite"),
            blueprint,
            Checkout(model, (), Path(sys.executable)),
            model,
            1.0,
        )
        try:
            return builders.build(assignment, model, None)
        except WorkerError as error:
            return str(error)

    with ThreadPoolExecutor(threads or len(names)) as pool:
        return list(pool.map(build, names))


def test_as_many_build_at_a_time_as_fit_in_memory(process: type[Process], model: Path) -> None:
    process.meeting = Barrier(2, timeout=20)
    assert build_all(Builders(lambda: 2 * NEEDED), model, ["a", "b", "c", "d"]) == [{}] * 4
    assert process.most == 2


@pytest.mark.parametrize("free", [0, 2 * NEEDED - 1])
def test_one_builds_at_a_time_without_memory_for_two(
    process: type[Process], model: Path, free: int
) -> None:
    assert build_all(Builders(lambda: free), model, ["a", "b", "c"]) == [{}] * 3
    assert process.most == 1


def test_a_failed_build_makes_room_for_the_next(process: type[Process], model: Path) -> None:
    outcomes = build_all(Builders(lambda: 0), model, ["failing", "failing", "b"])
    assert outcomes == ["it failed", "it failed", {}]


def test_builds_that_wait_for_memory_are_not_started_after_the_end(
    process: type[Process], model: Path
) -> None:
    builders = Builders(lambda: 0)
    builders.end()
    assert build_all(builders, model, ["a", "b"]) == [
        "building a was interrupted",
        "building b was interrupted",
    ]
    assert process.most == 0


def test_builders_may_take_what_the_host_has_free() -> None:
    assert 0 < building.free_bytes() < 1 << 50


def test_one_process_builds_in_sequence_what_may_share_it(
    process: type[Process], model: Path
) -> None:
    builders = Builders()
    assert build_all(builders, model, ["A1", "alone", "B1", "A2", "alone", "B2"], 1) == [{}] * 6
    assert [p.built for p in process.started] == [["A1", "A2"], ["alone"], ["B1", "B2"], ["alone"]]
    assert [p.alive for p in process.started] == [True, False, True, False]
    builders.release()
    assert not any(p.alive for p in process.started)


def test_a_process_does_not_build_again_after_a_failure(
    process: type[Process], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders = Builders()
    assert build_all(builders, model, ["A1"]) == [{}]
    monkeypatch.setattr(Process, "rename", lambda self, name: setattr(self, "name", "failing"))
    assert build_all(builders, model, ["A2", "A3"], 1) == ["it failed", {}]
    assert [p.built for p in process.started] == [["A1", "failing"], ["A3"]]
    assert [p.alive for p in process.started] == [False, True]


def test_a_process_that_ended_is_not_asked_again(process: type[Process], model: Path) -> None:
    builders = Builders()
    build_all(builders, model, ["A1"])
    process.started[0].close()
    assert build_all(builders, model, ["A2"]) == [{}]
    assert len(process.started) == 2


def test_the_end_kills_processes_that_wait(process: type[Process], model: Path) -> None:
    builders = Builders()
    build_all(builders, model, ["A1"])
    builders.end()
    assert not process.started[0].alive
