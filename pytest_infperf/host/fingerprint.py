"""The fingerprint of a host: the facts that must be equal for a comparison of absolute times.

It never raises an error: a fact that the system does not report is None.
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
from pytest_infperf.host.cpu import ROOT

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
"""Facts that must be equal. Library versions and the kernel are left out, because comparisons show
the effect of changing them. Memory is left out, because a model either fits into it or not."""


def fingerprint(distributions: Sequence[str]) -> dict[str, Any]:
    """Return the facts of this host and the environment of this process, in JSON's types.

    `distributions` are the packages whose versions are included. The instance type is None here;
    `cost.billing` sets it.
    """
    logical = _attempt(os.cpu_count)
    physical = _attempt(cpu.physical_cores)
    return {
        "instance_type": None,
        "architecture": platform.machine() or None,
        "cpu_model": _attempt(cpu.model),
        "cpu_vendor": _attempt(cpu.vendor),
        "instruction_sets": _attempt(lambda: list(cpu.instruction_sets())),
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
    """Return the names of the facts in which two hosts differ; if empty, times are comparable.

    A fact that is known for only one host counts as different.
    """
    differing = [name for name in DECIDES_SPEED if a.get(name) != b.get(name)]
    if _usable_core_count(a) != _usable_core_count(b):
        differing.append("affinity")
    return differing


def host_names(fingerprint: Mapping[str, Any]) -> list[str]:
    """Return the names for `on` globs in thresholds.toml: the instance type and the CPU model."""
    names = (fingerprint.get("instance_type"), fingerprint.get("cpu_model"))
    return [name for name in names if name]


def steal_fraction(root: Path = ROOT) -> float | None:
    """Return the fraction of the CPU time since boot that the hypervisor gave to other guests."""
    ticks = cpu.cpu_ticks(root)
    return ticks[7] / sum(ticks) if ticks and any(ticks) else None


def library_versions(distributions: Sequence[str]) -> dict[str, str]:
    """Return the versions of the installed distributions among these."""
    versions = {name: _attempt(partial(importlib.metadata.version, name)) for name in distributions}
    return {name: version for name, version in sorted(versions.items()) if version}


def thread_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that affect runtimes' use of threads, memory and instruction sets."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if name.startswith(THREAD_PREFIXES) or name in THREAD_VARIABLES
    }


def _usable_core_count(host: Mapping[str, Any]) -> int | None:
    """Return the number of usable cores; their ids do not matter."""
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
    except Exception:  # an unusual system must not fail the run
        return None
