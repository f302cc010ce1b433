"""The fingerprint of a host: what has to be equal before two absolute times can be compared.

Reading it must never spoil a run: a fact that this system does not tell is null.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pytest_infperf.host import cgroup, cpu, gpu
from pytest_infperf.host.cpu import ROOT, instruction_sets, read_text

__all__ = ["comparable", "fingerprint", "host_names", "instruction_sets"]

T = TypeVar("T")

THREAD_PREFIXES = (
    "ATEN_",
    "CT2_",
    "GOMP_",
    "KMP_",
    "MALLOC_",
    "MKL_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "ORT_",
    "RAYON_",
)
THREAD_VARIABLES = ("GLIBC_TUNABLES", "LD_PRELOAD", "TOKENIZERS_PARALLELISM")

DECIDES_SPEED = (
    "instance_type",
    "architecture",
    "cpu_model",
    "instruction_sets",
    "logical_cores",
    "physical_cores",
    "threads_per_core",
    "cgroup_cpu_cores",
    "governor",
    "turbo",
    "frequency_min_hz",
    "frequency_max_hz",
    "gpus",
    "environment",
)
"""Library versions and the kernel are left out: what they change is what a comparison is to show.
So is memory, which a model either fits into or does not."""


def fingerprint(distributions: Sequence[str]) -> dict[str, Any]:
    """The facts of this host and of this process's surroundings, of JSON's types.

    The instance type is not among them: whoever can ask for it fills it in (`host.billing`).
    """
    logical = _attempt(os.cpu_count)
    physical = _attempt(cpu.physical_cores)
    return {
        "instance_type": None,
        "architecture": platform.machine() or None,
        "cpu_model": _attempt(cpu.model),
        "cpu_vendor": _attempt(cpu.vendor),
        "instruction_sets": _attempt(lambda: list(instruction_sets())),
        "logical_cores": logical,
        "physical_cores": physical,
        "threads_per_core": -(-logical // physical) if logical and physical else None,
        "affinity": _attempt(cpu.affinity),
        "cgroup_cpu_cores": _attempt(cgroup.quota_cores),
        "governor": _attempt(cpu.governor),
        "turbo": _attempt(cpu.turbo),
        "frequency_min_hz": _attempt(lambda: cpu.frequency_hz("min")),
        "frequency_max_hz": _attempt(lambda: cpu.frequency_hz("max")),
        "gpus": _attempt(gpu.models),
        "steal_fraction": _attempt(steal_fraction),
        "memory_bytes": _attempt(_memory_bytes),
        "container": _attempt(cgroup.container),
        "kernel": platform.release() or None,
        "os": _attempt(_operating_system),
        "python": platform.python_version(),
        "libraries": library_versions(distributions),
        "environment": thread_environment(os.environ),
    }


def comparable(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The facts that decide speed and differ between two hosts: none, and times can be compared.

    A fact known of one and unknown of the other differs, for nobody can say that it does not.
    """
    differing = [name for name in DECIDES_SPEED if a.get(name) != b.get(name)]
    if _usable_cores(a) != _usable_cores(b):
        differing.append("affinity")
    return differing


def host_names(fingerprint: Mapping[str, Any]) -> list[str]:
    """What a threshold's `on` glob is matched with: the instance type, then the CPU model."""
    names = (fingerprint.get("instance_type"), fingerprint.get("cpu_model"))
    return [name for name in names if name]


def steal_fraction(root: Path = ROOT) -> float | None:
    """The share of time since boot that the hypervisor gave to others."""
    first = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
    # user nice system idle iowait irq softirq steal; the guests' times behind are part of user.
    ticks = [int(text) for text in first[1:9]]
    return ticks[7] / sum(ticks) if len(ticks) == 8 and any(ticks) else None


def library_versions(distributions: Sequence[str]) -> dict[str, str]:
    """Of those that are installed."""
    found = {name: _attempt(partial(importlib.metadata.version, name)) for name in distributions}
    return {name: version for name, version in sorted(found.items()) if version}


def thread_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that change how runtimes use threads, memory and instruction sets."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if name.startswith(THREAD_PREFIXES) or name in THREAD_VARIABLES
    }


def _usable_cores(host: Mapping[str, Any]) -> int | None:
    """How many, not which: the system numbers them as it likes."""
    affinity = host.get("affinity")
    return None if affinity is None else len(affinity)


def _memory_bytes() -> int:
    import psutil

    return psutil.virtual_memory().total


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.version()}".strip()


def _attempt(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Exception:  # whatever it is that this system does otherwise, the run is worth more
        return None
