"""The processor: its name, instruction sets, cores and clock.

Linux provides these facts in files. On other systems, py-cpuinfo provides some of them; this takes
about a second, so the result is cached.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError

ROOT = Path("/")

FOR_INFERENCE = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
    "neon",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
    "bf16",
)
"""Instruction sets that affect a runtime's choice of kernels, by their names in Linux."""

_INT8_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}

ARM_CORES = {
    "0xd08": "Cortex-A72",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
    "0xd83": "Neoverse-V3",
    "0xd84": "Neoverse-V3",
    "0xd8e": "Neoverse-N3",
}


def instruction_sets(root: Path = ROOT) -> tuple[str, ...]:
    """Return the instruction sets of this host relevant for inference, in a fixed order."""
    described = proc_cpuinfo(root)
    if described:
        flags: Iterable[str] = (described.get("flags") or described.get("features", "")).split()
    else:
        flags = py_cpuinfo().get("flags", ())
        if platform.machine().lower() == "arm64":
            flags = (*flags, "asimd")
    # Other systems use avx512vnni instead of Linux's avx512_vnni.
    known = {flag.lower().replace("_", "") for flag in flags}
    return tuple(name for name in FOR_INFERENCE if name.replace("_", "") in known)


def has_int8_dot_products(known: Iterable[str]) -> bool:
    """Return whether these instruction sets multiply int8 faster than float32."""
    return not _INT8_DOT_PRODUCTS.isdisjoint(known)


def model(root: Path = ROOT) -> str | None:
    described = proc_cpuinfo(root)
    if not described:
        return py_cpuinfo().get("brand_raw")
    if name := described.get("model name") or described.get("cpu model"):
        return " ".join(name.split())
    if described.get("cpu implementer") == "0x41" and "cpu part" in described:
        part = described["cpu part"]
        return f"ARM {ARM_CORES.get(part, f'part {part}')}"
    return None


def vendor(root: Path = ROOT) -> str | None:
    described = proc_cpuinfo(root)
    if not described:
        return py_cpuinfo().get("vendor_id_raw")
    return described.get("vendor_id") or described.get("cpu implementer")


def physical_cores(root: Path = ROOT) -> int | None:
    siblings = {
        text
        for path in _cpu_files("topology/thread_siblings_list", root)
        if (text := read_text(path)) is not None
    }
    if siblings:
        return len(siblings)
    import psutil

    return psutil.cpu_count(logical=False)


def affinity() -> list[int] | None:
    """Return the cores that this process may use; None if the system does not report them."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def usable_cores() -> list[int]:
    """Return the cores that this process may use, or all if the system does not report them."""
    return affinity() or list(range(os.cpu_count() or 1))


def pin(cores: Sequence[int]) -> None:
    """Restrict this process to cores. Raises UserError if it may not use one of them."""
    name = f"cpus={tuple(cores)}"
    if not hasattr(os, "sched_setaffinity"):
        raise UserError(f"{name}: this system cannot pin processes to cores. Omit cpus")
    usable = usable_cores()
    if outside := sorted(set(cores) - set(usable)):
        raise UserError(
            f"{name}: this process may not use {_listed('core', outside)}, only "
            f"{_listed('core', usable)} (its affinity, see `taskset -p $$`). Choose from these, or "
            "omit cpus"
        )
    os.sched_setaffinity(0, cores)


def _listed(noun: str, numbers: Sequence[int]) -> str:
    return f"{noun}{'s' if len(numbers) != 1 else ''} {', '.join(map(str, numbers))}"


def cpu_ticks(root: Path = ROOT) -> list[int] | None:
    """Return the kernel's counters of CPU time since boot, over all cores.

    They are user, nice, system, idle, iowait, irq, softirq and steal. None if /proc/stat lacks
    them, as in some sandboxes.
    """
    name, *fields = (read_text(root / "proc/stat") or "").partition("\n")[0].split() or [""]
    # The guest times that follow are included in user.
    return [int(text) for text in fields[:8]] if name == "cpu" and len(fields) >= 8 else None


def governor(root: Path = ROOT) -> str | None:
    """Return the governor of the CPU clock, or all governors, separated by commas."""
    names = {read_text(path) for path in _cpu_files("cpufreq/scaling_governor", root)} - {None}
    return ",".join(sorted(str(name) for name in names)) or None


def turbo(root: Path = ROOT) -> bool | None:
    cpu = root / "sys/devices/system/cpu"
    no_turbo = read_text(cpu / "intel_pstate/no_turbo")
    if no_turbo is not None:
        return no_turbo == "0"
    boost = read_text(cpu / "cpufreq/boost")
    return None if boost is None else boost == "1"


def frequency_hz(bound: str, root: Path = ROOT) -> int | None:
    """Return the "min" or "max" clock of the hardware over all cores, in Hz."""
    texts = [read_text(path) for path in _cpu_files(f"cpufreq/cpuinfo_{bound}_freq", root)]
    frequencies = [int(text) * 1000 for text in texts if text is not None]
    if not frequencies:
        return None
    return min(frequencies) if bound == "min" else max(frequencies)


def proc_cpuinfo(root: Path = ROOT) -> dict[str, str]:
    """Return the first processor of /proc/cpuinfo, with lower-case keys; empty without the file."""
    text = read_text(root / "proc/cpuinfo")
    described: dict[str, str] = {}
    for line in (text or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            described.setdefault(key.strip().lower(), value.strip())
    return described


@lru_cache(maxsize=1)
def py_cpuinfo() -> dict[str, Any]:
    """Return the facts of py-cpuinfo, for systems without /proc/cpuinfo; empty if it fails."""
    try:
        facts: dict[str, Any] = importlib.import_module("cpuinfo").get_cpu_info()
    except Exception:  # it runs other programs and parses their output
        return {}
    return facts


def read_text(path: Path) -> str | None:
    """Return the stripped text of a small system file; None if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _cpu_files(name: str, root: Path) -> Iterator[Path]:
    return (root / "sys/devices/system/cpu").glob(f"cpu[0-9]*/{name}")
