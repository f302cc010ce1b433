"""CPU time of the whole host and peak memory of a worker."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from pytest_infperf.host.processes import family

_STAT = Path("/proc/stat")
_IDLE_FIELDS = (3, 4)  # idle, iowait: proc(5)
_GUEST_FIELDS = 8  # guest time is included in user time


def host_busy_ns() -> int | None:
    """Return the CPU time of all processes and of the hypervisor (steal) since boot.

    None if /proc/stat is missing or lacks these times, as in some sandboxes. The kernel counts in
    ticks, usually of 10 ms on each core.
    """
    try:
        with _STAT.open("rb") as stat:
            name, *fields = stat.readline().split() or [b""]
    except OSError:
        return None
    if name != b"cpu":
        return None
    ticks = [int(field) for field in fields]
    busy = sum(t for i, t in enumerate(ticks[:_GUEST_FIELDS]) if i not in _IDLE_FIELDS)
    return busy * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def peak_memory_bytes() -> int:
    """Return the sum of the peak resident memories of this process and its children, in bytes.

    VmHWM is used instead of ru_maxrss, which survives exec and can be the peak of the parent.
    """
    return sum(_high_water_bytes(pid) for pid in family(os.getpid()))


def _high_water_bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return 0
