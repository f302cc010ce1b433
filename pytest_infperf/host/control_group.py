"""A new control group with limited CPU time and memory: cgroup v1 and v2.

`host.cgroup` reads the limits of a container; this module creates limits. See the kernel's
documentation: admin-guide/cgroup-v1/memory.rst, scheduler/sched-bwc.rst and
admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

from pytest_infperf.host.cgroup import groups
from pytest_infperf.host.cpu import ROOT, read_text

_PERIOD_US = 100_000
_EMPTY_WITHIN_S = 5.0


class ControlGroupError(Exception):
    """A control group cannot be created on this host; the message contains the reason."""


@dataclass(frozen=True)
class ControlGroup:
    """A control group that processes can join."""

    folders: Sequence[str]
    """Folders of the group; a process joins by writing its id to `cgroup.procs` in each."""

    def kills(self) -> int:
        """Return the number of processes that the kernel killed for lack of memory."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                for line in (read_text(Path(folder, name)) or "").splitlines():
                    word, _, count = line.partition(" ")
                    if word == "oom_kill":
                        return int(count)
        return 0


@contextmanager
def limited(
    cores: float | None = None, memory_bytes: int | None = None, root: Path = ROOT
) -> Iterator[ControlGroup]:
    """Yield a group with limits on CPU time, in cores, and on memory; None means no limit.

    The group is removed at the end. Raises ControlGroupError if it cannot be created on this host.
    """
    folders: list[Path] = []
    try:
        _Creator(cores, memory_bytes, root, folders).create()
    except OSError as error:
        _remove(folders)
        raise ControlGroupError(
            f"cannot create a control group ({error}): run as root, on a host or in a container "
            "with a writable cgroup file system"
        ) from error
    try:
        yield ControlGroup([str(folder) for folder in folders])
    finally:
        _remove(folders)


@dataclass(frozen=True)
class _Creator:
    cores: float | None
    memory_bytes: int | None
    root: Path
    folders: list[Path]
    """Folders created so far."""

    def create(self) -> None:
        own = dict(groups(self.root))
        if self.cores is None and self.memory_bytes is None:
            return
        if "" in own and (self.root / "sys/fs/cgroup/cgroup.controllers").exists():
            self._create_version_2(own[""])
            return
        if self.cores is not None:
            folder = self._create_folder(("cpu", "cpu,cpuacct"), _group_path(own, "cpu"))
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(round(self.cores * _PERIOD_US)))
        if self.memory_bytes is not None:
            folder = self._create_folder(("memory",), _group_path(own, "memory"))
            (folder / "memory.limit_in_bytes").write_text(str(self.memory_bytes))
            with suppress(OSError):  # only kernels that account for swap have this file
                (folder / "memory.memsw.limit_in_bytes").write_text(str(self.memory_bytes))

    def _create_version_2(self, path: str) -> None:
        parent = self.root / "sys/fs/cgroup" / path.lstrip("/")
        folder = parent / _name()
        folder.mkdir()
        self.folders.append(folder)
        limits = {"cpu": self.cores, "memory": self.memory_bytes}
        for controller in [name for name, limit in limits.items() if limit is not None]:
            if controller not in (read_text(folder / "cgroup.controllers") or "").split():
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        if self.cores is not None:
            quota = round(self.cores * _PERIOD_US)
            (folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        if self.memory_bytes is not None:
            (folder / "memory.max").write_text(str(self.memory_bytes))
            with suppress(OSError):
                (folder / "memory.swap.max").write_text("0")

    def _create_folder(self, names: Sequence[str], path: str) -> Path:
        """Create a folder below this process's group, or below the mount if it is not visible."""
        mounts = [self.root / "sys/fs/cgroup" / name for name in names]
        mount = next((mount for mount in mounts if mount.is_dir()), None)
        if mount is None:
            raise FileNotFoundError(f"no cgroup controller is mounted as {' or '.join(names)}")
        own = mount / path.lstrip("/")
        folder = (own if own.is_dir() else mount) / _name()
        folder.mkdir()
        self.folders.append(folder)
        return folder


def _group_path(own: dict[str, str], controller: str) -> str:
    return next((p for names, p in own.items() if controller in names.split(",")), "/")


def _name() -> str:
    return f"infperf-{os.getpid()}-{uuid4().hex[:6]}"


def _remove(folders: Sequence[Path]) -> None:
    """Remove the folders; each must be empty of processes first."""
    deadline = monotonic() + _EMPTY_WITHIN_S
    for folder in folders:
        while folder.exists():
            try:
                folder.rmdir()
            except OSError:
                if monotonic() > deadline:
                    break
                sleep(0.05)
