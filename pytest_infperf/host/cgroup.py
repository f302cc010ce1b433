"""The CPU quota and the memory limit of a container, and the kind of container.

A container sees all cores of the machine but may use only some of their time, so thread counts and
speeds depend on the quota.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

from pytest_infperf.host.cpu import ROOT, read_text, usable_cores


def quota_cores(root: Path = ROOT) -> float | None:
    """Return the CPU time that this process may use, in cores; None if there is no limit.

    The limits of all parent groups apply too, so the smallest limit is returned.
    """
    quotas = [quota for quota in (*_version_2(root), *_version_1(root)) if quota is not None]
    return min(quotas, default=None)


def usable_threads(cpus: Sequence[int] | None = None, root: Path = ROOT) -> int:
    """Return the number of threads that can run at a time, given affinity and CPU quota.

    `cpus` are the cores to which the threads are pinned; None means all that this process may use.
    """
    cores, quota = len(cpus or usable_cores()), quota_cores(root)
    return cores if quota is None else max(1, min(cores, int(quota)))


def default_threads(cpus: Sequence[int] | None = None, root: Path = ROOT) -> int | None:
    """Return the number of threads if none is configured; None means the runtime's default.

    Runtimes count the cores of the machine, and some ignore affinity and quota.
    """
    usable = usable_threads(cpus, root)
    return usable if usable < (os.cpu_count() or 1) else None


def thread_doubt(threads: int, cpus: Sequence[int] | None = None, root: Path = ROOT) -> str:
    """Return the reason why these threads disturb each other; empty if they do not."""
    cores, quota = len(cpus or usable_cores()), quota_cores(root)
    noun = "1 thread" if threads == 1 else f"{threads} threads"
    if quota is not None and threads > quota:
        fewer = f"use at most {max(1, int(quota))}, or " if threads > 1 else ""
        return (
            f"{noun} under a CPU quota of {quota:g} cores use it up early in each period and then "
            f"wait for the next period, which increases high percentiles: {fewer}raise the quota"
        )
    if threads > cores:
        return f"{noun} wait for each other, because {cores} can run at a time: use at most {cores}"
    return ""


def container(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the probable kind of container, such as "docker"; None if there is no sign of one."""
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


def free_memory_bytes(root: Path = ROOT) -> int | None:
    """Return the memory still available in the groups of this process; None if there is no limit.

    Memory of cached files counts as available, because the kernel drops them if necessary.
    """
    left = []
    for controllers, group in groups(root):
        for controller, mounts, limit_file, usage_file, cached in _MEMORY_FILES:
            if controller not in controllers.split(","):
                continue
            for folder in chain.from_iterable(_upwards(root / mount, group) for mount in mounts):
                limit, usage = _number(folder / limit_file), _number(folder / usage_file)
                if limit is not None and usage is not None:
                    left.append(max(0, limit - usage + _counter(folder / "memory.stat", cached)))
    return min(left, default=None)


_MEMORY_FILES = (
    (
        *("", ("sys/fs/cgroup", "sys/fs/cgroup/unified")),
        *("memory.max", "memory.current", "inactive_file"),
    ),
    (
        *("memory", ("sys/fs/cgroup/memory",)),
        *("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ),
)
"""The controller, its mounts, and the names of its limit, usage and cached files, of version 2 and
version 1."""


def _number(path: Path) -> int | None:
    text = read_text(path) or ""
    return int(text) if text.isdecimal() else None


def _counter(path: Path, name: str) -> int:
    for line in (read_text(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return 0


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
    """Yield the controllers and the path of each group of this process."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield parts[1], parts[2]


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Yield the group's folder and all folders above it.

    Inside a container, the path may be the host's, and only the root of the mount may be visible.
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
