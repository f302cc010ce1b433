from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_infperf.host import cgroup
from pytest_infperf.host.cgroup import (
    container,
    default_threads,
    free_memory_bytes,
    quota_cores,
    thread_doubt,
    usable_threads,
)

Machine = Callable[[Mapping[str, str]], Path]


def test_version_2(machine: Machine) -> None:
    root = machine(
        {
            "proc/self/cgroup": "0::/user.slice/job.scope",
            "sys/fs/cgroup/user.slice/job.scope/cpu.max": "150000 100000",
        }
    )
    assert quota_cores(root) == 1.5


def with_quota(machine: Machine, cores: float) -> Path:
    limit = f"{round(cores * 100_000)} 100000"
    return machine({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": limit})


@pytest.mark.parametrize(
    ("quota", "pinned", "usable"),
    [(None, None, 4), (0.5, None, 1), (2.5, None, 2), (9, None, 4), (2.5, (0,), 1)],
)
def test_threads_that_can_run_at_a_time(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    quota: float | None,
    pinned: tuple[int, ...] | None,
    usable: int,
) -> None:
    monkeypatch.setattr(cgroup, "usable_cores", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    root = with_quota(machine, quota) if quota else machine({})
    assert usable_threads(pinned, root) == usable
    assert default_threads(pinned, root) == (usable if usable < 4 else None)
    assert thread_doubt(max(1, usable), pinned, root) == "" or quota == 0.5
    assert thread_doubt(usable + 1, pinned, root)


def test_an_affinity_below_the_machines_cores_bounds_the_default(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "usable_cores", lambda: [1])
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert default_threads(None, machine({})) == 1


def test_doubts_name_threads_quota_and_remedy(machine: Machine) -> None:
    half = with_quota(machine, 0.5)
    assert thread_doubt(2, (0, 1), half).startswith("2 threads under a CPU quota of 0.5 cores")
    assert thread_doubt(2, (0, 1), half).endswith("use at most 1, or raise the quota")
    assert thread_doubt(1, (0, 1), half).endswith(": raise the quota")


def test_the_smallest_limit_on_the_way_up_holds(machine: Machine) -> None:
    root = machine(
        {
            "proc/self/cgroup": "0::/a/b",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000",
            "sys/fs/cgroup/a/cpu.max": "400000 100000",
            "sys/fs/cgroup/cpu.max": "200000 100000",
        }
    )
    assert quota_cores(root) == 2


def test_a_container_sees_its_group_as_the_root(machine: Machine) -> None:
    root = machine(
        {
            "proc/self/cgroup": "12:cpu,cpuacct:/docker/0123abcd",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        }
    )
    assert quota_cores(root) == 0.5


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "nonsense"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "200000"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "200000 0"},
        {
            "proc/self/cgroup": "3:cpu:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        {
            "proc/self/cgroup": "3:cpuset:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    ],
)
def test_no_limit(machine: Machine, files: Mapping[str, str]) -> None:
    assert quota_cores(machine(files)) is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {
                "proc/self/cgroup": "0::/work/job",
                "sys/fs/cgroup/work/job/memory.max": "max",
                "sys/fs/cgroup/work/job/memory.current": "100",
                "sys/fs/cgroup/work/memory.max": "1000",
                "sys/fs/cgroup/work/memory.current": "700",
                "sys/fs/cgroup/work/memory.stat": "anon 400\ninactive_file 50\n",
            },
            350,
        ),
        (
            {
                "proc/self/cgroup": "5:cpuset:/\n4:memory:/job",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1200",
                "sys/fs/cgroup/memory/memory.stat": "inactive_file 9\ntotal_inactive_file 60\n",
            },
            0,
        ),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "1000"}, None),
        ({"proc/self/cgroup": "3:cpu:/", "sys/fs/cgroup/memory/memory.max": "1000"}, None),
        ({}, None),
    ],
)
def test_memory_that_is_left(
    machine: Machine, files: Mapping[str, str], expected: int | None
) -> None:
    assert free_memory_bytes(machine(files)) == expected


@pytest.mark.parametrize(
    ("files", "environment", "expected"),
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": ""}, {}, "podman"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"proc/self/cgroup": "4:cpu:/docker/0123"}, {}, "docker"),
        ({"proc/self/cgroup": "0::/kubepods.slice/pod1"}, {}, "kubernetes"),
        ({"proc/self/cgroup": "0::/"}, {"container": "systemd-nspawn"}, "systemd-nspawn"),
        ({"proc/self/cgroup": "0::/user.slice"}, {}, None),
        ({}, {}, None),
    ],
)
def test_container(
    machine: Machine, files: Mapping[str, str], environment: Mapping[str, str], expected: str | None
) -> None:
    assert container(machine(files), environment) == expected
