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


def test_the_fingerprint_takes_less_than_a_tenth_of_a_second() -> None:
    def takes_s() -> float:
        start_s = time.perf_counter()
        fingerprint(["pytest"])
        return time.perf_counter() - start_s

    assert min(takes_s() for _ in range(5)) < 0.1


PROBES: list[tuple[Any, str, Any, dict[str, Any]]] = [
    (cpu, "model", "Xeon", {"cpu_model": "Xeon"}),
    (cpu, "vendor", "Intel", {"cpu_vendor": "Intel"}),
    (cpu, "instruction_sets", ("sse9",), {"instruction_sets": ["sse9"]}),
    (os, "cpu_count", 12, {"logical_cores": 12, "threads_per_core": ...}),
    (cpu, "physical_cores", 1, {"physical_cores": 1, "threads_per_core": os.cpu_count()}),
    (cpu, "affinity", [5], {"affinity": [5]}),
    (cpu, "governor", "ondemand", {"governor": "ondemand"}),
    (cpu, "turbo", True, {"turbo": True}),
    (cpu, "frequency_hz", 7, {"frequency_min_hz": 7, "frequency_max_hz": 7}),
    (cgroup, "quota_cores", 1.5, {"cgroup_cpu_cores": 1.5}),
    (cgroup, "container", "podman", {"container": "podman"}),
    (gpu, "models", ["T4"], {"gpus": ["T4"]}),
    (module, "steal_fraction", 0.3, {"steal_fraction": 0.3}),
    (module, "_memory_bytes", 3, {"memory_bytes": 3}),
    (module, "_operating_system", "BeOS", {"os": "BeOS"}),
]
"""Where a fact is read, a value that it may have there, and the facts that follow from it."""


@pytest.mark.parametrize(
    ("where", "probe", "value", "facts"), PROBES, ids=[probe for _, probe, *_ in PROBES]
)
def test_a_probe_decides_its_facts_and_no_others(
    monkeypatch: pytest.MonkeyPatch, where: Any, probe: str, value: Any, facts: dict[str, Any]
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("this system is odd")

    others = fingerprint(["pytest"])
    for name in {*facts, "steal_fraction"} & {*others}:
        del others[name]
    for read, wanted in ((lambda *_: value, facts), (fail, dict.fromkeys(facts))):
        monkeypatch.setattr(where, probe, read)
        if hasattr(module, probe):  # imported there by its name
            monkeypatch.setattr(module, probe, read)
        found = fingerprint(["pytest"])
        decided = {name: fact for name, fact in wanted.items() if fact is not ...}
        assert {name: found[name] for name in decided} == decided
        assert {name: found[name] for name in others} == others


def test_every_fact_is_read_by_a_probe_or_needs_none() -> None:
    needs_none = {"instance_type", "architecture", "kernel", "python", "libraries", "environment"}
    assert {name for *_, facts in PROBES for name in facts} | needs_none == {*fingerprint([])}


def test_a_host_without_a_known_fact_has_no_name_and_is_like_itself() -> None:
    unknown = dict.fromkeys(fingerprint([]))
    assert host_names(unknown) == []
    assert comparable(unknown, unknown) == []


def test_names_for_globs_are_instance_then_model() -> None:
    facts = fingerprint([])
    assert host_names(facts) == [facts["cpu_model"]]
    assert host_names({**facts, "instance_type": "c7i.large"}) == ["c7i.large", facts["cpu_model"]]


TWO_HOSTS: dict[str, tuple[Any, Any]] = {
    "instance_type": ("c7i.large", "c7g.large"),
    "architecture": ("x86_64", "aarch64"),
    "cpu_model": ("Xeon 8488C", "Xeon 8375C"),
    "instruction_sets": (["avx2", "amx_int8"], ["avx2"]),
    "logical_cores": (2, 4),
    "physical_cores": (1, 2),
    "threads_per_core": (2, 1),
    "affinity": ([0, 1], [0]),
    "cgroup_cpu_cores": (None, 1.5),
    "governor": ("performance", "powersave"),
    "turbo": (True, False),
    "frequency_min_hz": (8e8, 4e8),
    "frequency_max_hz": (3.5e9, 2.2e9),
    "gpus": (None, ["T4"]),
    "environment": ({}, {"OMP_NUM_THREADS": "1"}),
}
"""Each fact that decides how fast a model is, on two hosts."""
ANOTHER_DAY: dict[str, tuple[Any, Any]] = {
    "steal_fraction": (0.0, 0.2),
    "kernel": ("6.1", "9.9.9"),
    "os": ("Debian 12", "Debian 13"),
    "python": ("3.11.7", "3.12.1"),
    "libraries": ({"pytest": "9.2"}, {"pytest": "1.0"}),
    "memory_bytes": (4e9, 8e9),
    "cpu_vendor": ("GenuineIntel", "Intel"),
    "container": (None, "docker"),
}
"""Facts whose effect a comparison is to show, or that have none."""


def test_each_fact_decides_speed_or_does_not() -> None:
    assert {*TWO_HOSTS} | {*ANOTHER_DAY} == {*fingerprint([])}


@pytest.mark.parametrize("name", ANOTHER_DAY)
def test_the_same_machine_on_another_day_is_comparable(name: str) -> None:
    today, other_day = ANOTHER_DAY[name]
    host = {fact: value for fact, (value, _) in TWO_HOSTS.items()}
    assert comparable({**host, name: today}, {**host, name: other_day}) == []


@pytest.mark.parametrize("name", TWO_HOSTS)
def test_each_fact_that_decides_speed_is_named(name: str) -> None:
    host = {fact: value for fact, (value, _) in TWO_HOSTS.items()}
    assert comparable(host, {**host, name: TWO_HOSTS[name][1]}) == [name]


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


@pytest.mark.parametrize("text", ["", "intr 9 8 7 6 5 4 3 2 1\nctxt 5\n", "cpu 1 2 3\n"])
def test_no_steal_in_a_sandbox_that_hides_the_line(machine: Machine, text: str) -> None:
    root = machine({"proc/stat": text})
    assert steal_fraction(root) is None
    assert cpu.cpu_ticks(root) is None


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
