"""The CPU quota that a container grants, and the kind of container.

A container sees all cores of the machine but may use only some of their time, so thread counts and
speeds make no sense without the quota.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pytest_infperf.host.cpu import ROOT, read_text


def quota_cores(root: Path = ROOT) -> float | None:
    """Return the CPU time that this process may use, in cores; None if nothing limits it.

    The limits of all groups above it apply too, so the smallest one is returned.
    """
    quotas = [quota for quota in (*_version_2(root), *_version_1(root)) if quota is not None]
    return min(quotas, default=None)


def container(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a guess of the container, such as "docker"; None if nothing hints at one."""
    if "KUBERNETES_SERVICE_HOST" in environment:
        return "kubernetes"
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    own_groups = read_text(root / "proc/self/cgroup") or ""
    hints = {"kubepods": "kubernetes", "docker": "docker", "containerd": "containerd", "lxc": "lxc"}
    hinted = next((name for hint, name in hints.items() if hint in own_groups), None)
    return hinted or environment.get("container")


def _version_2(root: Path) -> Iterator[float | None]:
    for controllers, group in groups(root):
        if controllers:
            continue
        for mount in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
            for folder in _upwards(root / mount, group):
                quota, _, period = (read_text(folder / "cpu.max") or "max").partition(" ")
                yield _cores(quota, period)


def _version_1(root: Path) -> Iterator[float | None]:
    for controllers, group in groups(root):
        if "cpu" not in controllers.split(","):
            continue
        for mount in ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"):
            for folder in _upwards(root / mount, group):
                quota = read_text(folder / "cpu.cfs_quota_us")
                yield _cores(quota, read_text(folder / "cpu.cfs_period_us"))


def groups(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the controllers and the path of each group that this process is in."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield parts[1], parts[2]


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Yield the group's folder and all folders above it.

    Inside a container the path may be that of the host, and only the root of the mount is visible.
    """
    path = PurePosixPath("/", group)
    for part in (path, *path.parents):
        yield mount / part.relative_to("/")


def _cores(quota: str | None, period: str | None) -> float | None:
    try:
        cores = int(quota or "") / int(period or "")
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None
