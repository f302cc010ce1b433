from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.host import cgroup, cpu, fingerprint as module, gpu
from pytest_infperf.host.fingerprint import (
    DECIDES_SPEED,
    comparable,
    fingerprint,
    host_names,
    steal_fraction,
    thread_environment,
)

Machine = Callable[[Mapping[str, str]], Path]


def test_the_fingerprint_has_json_types() -> None:
    facts = fingerprint(["pytest", "no-such-distribution"])
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert set(DECIDES_SPEED) <= set(facts)
    assert facts["logical_cores"] == os.cpu_count()
    assert 1 <= facts["physical_cores"] <= facts["logical_cores"]
    assert facts["memory_bytes"] > 2**28
    assert facts["libraries"] == {"pytest": pytest.__version__}
    assert facts["instruction_sets"] == list(cpu.instruction_sets())


def test_the_fingerprint_takes_less_than_half_a_second() -> None:
    fingerprint(["pytest"])
    began = time.perf_counter()
    fingerprint(["pytest"])
    assert time.perf_counter() - began < 0.5


def test_a_fact_that_cannot_be_read_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("this system is odd")

    for name in ("model", "vendor", "physical_cores", "affinity", "governor", "turbo"):
        monkeypatch.setattr(cpu, name, fail)
    monkeypatch.setattr(cpu, "frequency_hz", fail)
    monkeypatch.setattr(gpu, "models", fail)
    monkeypatch.setattr(cgroup, "quota_cores", fail)
    monkeypatch.setattr(cgroup, "container", fail)
    monkeypatch.setattr(cpu, "instruction_sets", fail)
    for name in ("steal_fraction", "_memory_bytes", "_operating_system"):
        monkeypatch.setattr(module, name, fail)
    monkeypatch.setattr(os, "cpu_count", fail)
    facts = fingerprint(["pytest"])
    known = {name for name, fact in facts.items() if fact is not None}
    assert known == {"architecture", "kernel", "python", "libraries", "environment"}
    assert host_names(facts) == []
    assert comparable(facts, facts) == []


def test_names_for_globs_are_instance_then_model() -> None:
    facts = fingerprint([])
    assert host_names(facts) == [facts["cpu_model"]]
    assert host_names({**facts, "instance_type": "c7i.large"}) == ["c7i.large", facts["cpu_model"]]


def test_the_same_machine_on_another_day_is_comparable() -> None:
    today = fingerprint(["pytest"])
    other_day = {
        **today,
        "steal_fraction": 0.2,
        "kernel": "9.9.9",
        "libraries": {"pytest": "1.0"},
        "memory_bytes": 1,
        "affinity": [core + 1 for core in today["affinity"]],
    }
    assert comparable(today, other_day) == []


@pytest.mark.parametrize("name", DECIDES_SPEED)
def test_each_fact_that_decides_speed_is_named(name: str) -> None:
    host = fingerprint([])
    assert comparable(host, {**host, name: "another"}) == [name]


def test_fewer_usable_cores_are_named() -> None:
    assert comparable({"affinity": [0, 1]}, {"affinity": [0]}) == ["affinity"]
    assert comparable({"affinity": [0, 1]}, {"affinity": [2, 3]}) == []


def test_an_unknown_fact_counts_as_different() -> None:
    assert comparable({"governor": "performance"}, {"governor": None}) == ["governor"]
    assert comparable({"governor": "performance"}, {}) == ["governor"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cpu  10 0 10 60 0 0 0 20 5 0", 0.2),
        ("cpu  10 0 10 80 0 0 0 0 0 0", 0.0),
        ("cpu  0 0 0 0 0 0 0 0 0 0", None),
        ("cpu  10 0 10", None),
    ],
)
def test_steal(machine: Machine, line: str, expected: float | None) -> None:
    assert steal_fraction(machine({"proc/stat": f"{line}\ncpu0 1 2 3"})) == expected


def test_no_steal_without_the_file(tmp_path: Path) -> None:
    assert steal_fraction(tmp_path) is None


def test_the_environment_holds_what_changes_threads_and_memory() -> None:
    relevant = {
        "CT2_VERBOSE": "1",
        "KMP_BLOCKTIME": "0",
        "LD_PRELOAD": "libjemalloc.so",
        "MALLOC_ARENA_MAX": "2",
        "MKL_NUM_THREADS": "2",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "ORT_DISABLE_ALL": "1",
    }
    others = {"HOME": "/home/me", "API_TOKEN": "secret", "PATH": "/bin"}
    assert thread_environment({**others, **relevant}) == relevant
