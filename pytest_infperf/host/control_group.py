"""A control group of one's own, with less processor and memory than the host has: cgroup v1 and v2.

Of the kernel's documentation: admin-guide/cgroup-v1/memory.rst, scheduler/sched-bwc.rst and
admin-guide/cgroup-v2.rst. Unlike `host.cgroup`, which reads what a container grants, this writes.
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


class Unwritable(Exception):
    """This host lets nobody make such a group; the message says what was tried."""


@dataclass(frozen=True)
class ControlGroup:
    folders: Sequence[str]
    """Whose `cgroup.procs` a process writes its id to, to be one of the group."""

    def kills(self) -> int:
        """Processes that were killed because memory ran out."""
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
    """A group of so much processor time and memory at most, inside; None limits nothing.

    Raises Unwritable.
    """
    made: list[Path] = []
    try:
        _Maker(cores, memory_bytes, root, made).make()
    except OSError as error:
        _remove(made)
        raise Unwritable(
            f"no control group can be made here ({error}): run as root on a host, or in a "
            "container, whose cgroup file system is mounted for writing"
        ) from error
    try:
        yield ControlGroup([str(folder) for folder in made])
    finally:
        _remove(made)


@dataclass(frozen=True)
class _Maker:
    cores: float | None
    memory_bytes: int | None
    root: Path
    made: list[Path]

    def make(self) -> None:
        own = dict(groups(self.root))
        if self.cores is None and self.memory_bytes is None:
            return
        if "" in own and (self.root / "sys/fs/cgroup/cgroup.controllers").exists():
            self._make_version_2(own[""])
            return
        if self.cores is not None:
            folder = self._new(("cpu", "cpu,cpuacct"), _of(own, "cpu"))
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(round(self.cores * _PERIOD_US)))
        if self.memory_bytes is not None:
            folder = self._new(("memory",), _of(own, "memory"))
            (folder / "memory.limit_in_bytes").write_text(str(self.memory_bytes))
            with suppress(OSError):  # only kernels that account for swap have it
                (folder / "memory.memsw.limit_in_bytes").write_text(str(self.memory_bytes))

    def _make_version_2(self, path: str) -> None:
        parent = self.root / "sys/fs/cgroup" / path.lstrip("/")
        folder = parent / _name()
        folder.mkdir()
        self.made.append(folder)
        wanted = {"cpu": self.cores, "memory": self.memory_bytes}
        for controller in [name for name, limit in wanted.items() if limit is not None]:
            if controller not in (read_text(folder / "cgroup.controllers") or "").split():
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")
        if self.cores is not None:
            quota = round(self.cores * _PERIOD_US)
            (folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        if self.memory_bytes is not None:
            (folder / "memory.max").write_text(str(self.memory_bytes))
            with suppress(OSError):
                (folder / "memory.swap.max").write_text("0")

    def _new(self, mounts: Sequence[str], path: str) -> Path:
        """Below the group that this process is in, or below all where that cannot be seen."""
        mounted = [m for name in mounts if (m := self.root / "sys/fs/cgroup" / name).is_dir()]
        if not mounted:
            raise FileNotFoundError(f"no cgroup controller is mounted as {' or '.join(mounts)}")
        own = mounted[0] / path.lstrip("/")
        folder = (own if own.is_dir() else mounted[0]) / _name()
        folder.mkdir()
        self.made.append(folder)
        return folder


def _of(own: dict[str, str], controller: str) -> str:
    return next((p for names, p in own.items() if controller in names.split(",")), "/")


def _name() -> str:
    return f"infperf-{os.getpid()}-{uuid4().hex[:6]}"


def _remove(folders: Sequence[Path]) -> None:
    """They can go when their last process has."""
    until = monotonic() + _EMPTY_WITHIN_S
    for folder in folders:
        while folder.exists():
            try:
                folder.rmdir()
            except OSError:
                if monotonic() > until:
                    break
                sleep(0.05)
