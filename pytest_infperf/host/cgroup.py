"""What a container grants of the machine: its processor quota, and which container it seems to be.

A container sees all of the machine's cores and may use only some of their time, so thread counts
and speeds make no sense without the quota.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pytest_infperf.host.cpu import ROOT, read_text


def quota_cores(root: Path = ROOT) -> float | None:
    """Cores' worth of time that this process may use, None when nothing limits it.

    A limit of any group above it counts too, so the smallest one holds.
    """
    quotas = [quota for quota in (*_version_2(root), *_version_1(root)) if quota is not None]
    return min(quotas, default=None)


def container(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> str | None:
    """A guess, such as "docker" or "kubernetes"; None when nothing hints at a container."""
    if "KUBERNETES_SERVICE_HOST" in environment:
        return "kubernetes"
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    groups = read_text(root / "proc/self/cgroup") or ""
    hints = {"kubepods": "kubernetes", "docker": "docker", "containerd": "containerd", "lxc": "lxc"}
    found = next((name for hint, name in hints.items() if hint in groups), None)
    return found or environment.get("container")


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
    """Controllers and path of each group that this process is in."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield parts[1], parts[2]


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """The group's folder and all above it.

    Inside a container the path may be the host's, with only the mount's own root to be seen.
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
