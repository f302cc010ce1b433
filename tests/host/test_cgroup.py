from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_infperf.host.cgroup import container, quota_cores

Machine = Callable[[Mapping[str, str]], Path]


def test_version_2(machine: Machine) -> None:
    root = machine(
        {
            "proc/self/cgroup": "0::/user.slice/job.scope",
            "sys/fs/cgroup/user.slice/job.scope/cpu.max": "150000 100000",
        }
    )
    assert quota_cores(root) == 1.5


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
