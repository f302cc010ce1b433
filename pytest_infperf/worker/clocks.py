"""CPU time of the whole host and peak memory of a worker."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_STAT = Path("/proc/stat")
_IDLE_FIELDS = (3, 4)  # idle, iowait: proc(5)
_GUEST_FIELDS = 8  # guest time is part of user time already


def host_busy_ns() -> int | None:
    """Return the CPU time of all processes and of the hypervisor (steal) since boot.

    None where there is no /proc/stat. The kernel counts in ticks, usually of 10 ms on each core.
    """
    try:
        with _STAT.open("rb") as stat:
            ticks = [int(field) for field in stat.readline().split()[1:]]
    except OSError:
        return None
    busy = sum(t for i, t in enumerate(ticks[:_GUEST_FIELDS]) if i not in _IDLE_FIELDS)
    return busy * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def peak_memory_bytes() -> int:
    """Return the sum of the peak resident memory of this process and of each of its children.

    VmHWM is preferred to ru_maxrss, which survives exec and can hold the peak of the parent.
    """
    process = psutil.Process()
    family = [process, *process.children(recursive=True)]
    return sum(_high_water_bytes(member) for member in family)


def _high_water_bytes(process: psutil.Process) -> int:
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return int(process.memory_info().rss)
