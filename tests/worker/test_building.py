"""Builders: how many build at a time, as memory allows."""

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
    """Stands for a builder's process, and counts those that build at a time."""

    lock = Lock()
    building: int
    most: int
    meeting: Barrier | None

    def __init__(self, name: str, checkout: Checkout, timeout_s: float) -> None:
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
        if self.name == "failing":
            raise WorkerError("it failed")
        return messages.Built({})

    def close(self) -> None:
        pass


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> type[Process]:
    Process.building = Process.most = 0
    Process.meeting = None
    monkeypatch.setattr(building, "WorkerProcess", Process)
    return Process


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "weights.bin").write_bytes(b"\0" * 1000)
    return tmp_path


def build_all(builders: Builders, model: Path, names: Sequence[str]) -> list[Any]:
    """Build variants of a model in as many threads; return their evidence or their errors."""

    def build(name: str) -> Any:
        blueprint = Blueprint(name, name, {}, str(model), name, None, None, None)
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

    with ThreadPoolExecutor(len(names)) as pool:
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


def test_what_waits_for_memory_is_not_started_after_the_end(
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
