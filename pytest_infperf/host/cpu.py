"""The processor: its name, its instruction sets, its cores and its clock.

Linux says all of it in files that are read in a moment. Elsewhere py-cpuinfo is asked, which takes
about a second, so its answer is kept.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

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
"""What decides which kernels a runtime picks, by the names that Linux gives them."""

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
    """Those of this host that matter for inference, in a fixed order."""
    described = proc_cpuinfo(root)
    if described:
        flags: Iterable[str] = (described.get("flags") or described.get("features", "")).split()
    else:
        flags = elsewhere().get("flags", ())
        if platform.machine().lower() == "arm64":
            flags = (*flags, "asimd")
    # Other systems write avx512vnni where Linux writes avx512_vnni.
    found = {flag.lower().replace("_", "") for flag in flags}
    return tuple(name for name in FOR_INFERENCE if name.replace("_", "") in found)


def has_int8_dot_products(known: Iterable[str]) -> bool:
    """Return whether these instruction sets multiply int8 faster than float32."""
    return not _INT8_DOT_PRODUCTS.isdisjoint(known)


def model(root: Path = ROOT) -> str | None:
    described = proc_cpuinfo(root)
    if not described:
        return elsewhere().get("brand_raw")
    if name := described.get("model name") or described.get("cpu model"):
        return " ".join(name.split())
    if described.get("cpu implementer") == "0x41" and "cpu part" in described:
        part = described["cpu part"]
        return f"ARM {ARM_CORES.get(part, f'part {part}')}"
    return None


def vendor(root: Path = ROOT) -> str | None:
    described = proc_cpuinfo(root)
    if not described:
        return elsewhere().get("vendor_id_raw")
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
    """The cores that this process may use; not every system can tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def usable_cores() -> list[int]:
    """Return the cores that this process may use; all cores where the system cannot tell."""
    return affinity() or list(range(os.cpu_count() or 1))


def governor(root: Path = ROOT) -> str | None:
    """One name, or those of unlike cores joined with commas."""
    names = {read_text(path) for path in _cpu_files("cpufreq/scaling_governor", root)} - {None}
    return ",".join(sorted(str(name) for name in names)) or None


def turbo(root: Path = ROOT) -> bool | None:
    cpu = root / "sys/devices/system/cpu"
    forbidden = read_text(cpu / "intel_pstate/no_turbo")
    if forbidden is not None:
        return forbidden == "0"
    allowed = read_text(cpu / "cpufreq/boost")
    return None if allowed is None else allowed == "1"


def frequency_hz(bound: str, root: Path = ROOT) -> int | None:
    """What the hardware can do, "min" or "max", over all cores."""
    texts = [read_text(path) for path in _cpu_files(f"cpufreq/cpuinfo_{bound}_freq", root)]
    found = [int(text) * 1000 for text in texts if text is not None]
    if not found:
        return None
    return min(found) if bound == "min" else max(found)


def proc_cpuinfo(root: Path = ROOT) -> dict[str, str]:
    """The first processor's entry of /proc/cpuinfo, by lower-case keys; empty elsewhere."""
    text = read_text(root / "proc/cpuinfo")
    described: dict[str, str] = {}
    for line in (text or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            described.setdefault(key.strip().lower(), value.strip())
    return described


@lru_cache(maxsize=1)
def elsewhere() -> dict[str, Any]:
    """What py-cpuinfo finds, where there is no /proc/cpuinfo."""
    try:
        found: dict[str, Any] = importlib.import_module("cpuinfo").get_cpu_info()
    except Exception:  # it runs other programs and parses what they print
        return {}
    return found


def read_text(path: Path) -> str | None:
    """The stripped text of a small system file, None when there is none or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _cpu_files(name: str, root: Path) -> Iterator[Path]:
    return (root / "sys/devices/system/cpu").glob(f"cpu[0-9]*/{name}")
