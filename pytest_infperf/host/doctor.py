"""Findings about a host that disturb measurements or slow inference, with reasons and remedies.

The checks read a fingerprint of the host and observe its activity for a few seconds. They do not
change the host.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any

import psutil
from packaging.requirements import InvalidRequirement, Requirement

from pytest_infperf.host.cpu import cpu_ticks, has_int8_dot_products
from pytest_infperf.host.fingerprint import fingerprint

WATCHED_S = 2.0
_DISTURBING_SHARE = 0.02
_BUSY_SHARE = 0.2
_LEAST_FREE_BYTES = 2 * 2**30
_SPINNING = {"OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "infinite", "GOMP_SPINCOUNT": "infinite"}
_EXCLUSIVE = (("onnxruntime", "onnxruntime-gpu"), ("tensorflow", "tensorflow-cpu"))


@dataclass(frozen=True)
class Advice:
    """A finding about a host or a record."""

    seen: str
    """The finding."""
    why: str
    """The effect of the finding."""
    do: str
    """The remedy."""


@dataclass(frozen=True)
class Activity:
    """The activity of the host during a few seconds."""

    steal: float
    """Time that the hypervisor gave to other guests, as a fraction of all CPU time."""
    busy: Sequence[tuple[str, float]]
    """Processes that used more than _BUSY_SHARE of a core, each with that fraction."""
    free_bytes: int
    """Available memory, in bytes."""
    swap_used_bytes: int
    """Used swap, in bytes."""


def diagnose(libraries: Sequence[str]) -> list[Advice]:
    """Return the findings about this host and these libraries; observes the host for WATCHED_S."""
    host = fingerprint(libraries)
    return [*examine(host, watch()), *mismatches(libraries)]


def watch(seconds: float = WATCHED_S) -> Activity:
    """Observe the host for some seconds; this process does not count as busy."""
    before = cpu_ticks()
    cpu_s_before = {p.pid: _cpu_s(p) for p in psutil.process_iter()}
    sleep(seconds)
    after = cpu_ticks()
    passed = [b - a for a, b in zip(before or (), after or (), strict=False)]
    busy = []
    for process in psutil.process_iter():
        share = (_cpu_s(process) - cpu_s_before.get(process.pid, 0.0)) / seconds
        if share > _BUSY_SHARE and process.pid != psutil.Process().pid:
            busy.append((_label(process), share))
    return Activity(
        passed[7] / sum(passed) if any(passed) else 0.0,
        sorted(busy, key=lambda named_share: -named_share[1]),
        psutil.virtual_memory().available,
        psutil.swap_memory().used,
    )


def examine(host: Mapping[str, Any], activity: Activity) -> Iterator[Advice]:
    """Yield the findings about a host, the most disturbing first."""
    yield from _disturbances(host, activity)
    yield from _clock(host)
    yield from _cores(host)
    yield from _instructions(host)


def _disturbances(host: Mapping[str, Any], activity: Activity) -> Iterator[Advice]:
    since_boot = host.get("steal_fraction") or 0.0
    if max(activity.steal, since_boot) > _DISTURBING_SHARE:
        yield Advice(
            f"steal: other guests took {activity.steal:.1%} of the CPU time in the last "
            f"{WATCHED_S:g} s, {since_boot:.1%} since boot",
            "interrupted queries take longer; blocks that lose more than 5 % are measured again, "
            "which costs budget",
            "use an instance with dedicated cores (c7i, m7i; not t3 or t4g, whose credits run "
            "out), or a larger budget",
        )
    if activity.busy:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in activity.busy)
        yield Advice(
            f"busy processes, with their use of a core: {shares}",
            "they compete for cores and caches, even if they are only spinning thread pools",
            "stop them while measuring, or run one job per runner",
        )
    if activity.free_bytes < _LEAST_FREE_BYTES:
        yield Advice(
            f"memory: {activity.free_bytes / 1e9:.1f} GB are free",
            "baseline and variant are loaded at the same time; swapped memory is slow, and the "
            "kernel kills a process when memory runs out",
            "use a larger instance or a smaller model, or stop processes that use memory",
        )
    if activity.swap_used_bytes > 64 * 2**20:
        yield Advice(
            f"swap: {activity.swap_used_bytes / 1e6:.0f} MB are in use",
            "reading a page from disk during a query takes milliseconds",
            "free memory, or disable swap on a runner: swapoff -a",
        )


def _clock(host: Mapping[str, Any]) -> Iterator[Advice]:
    governor = host.get("governor")
    if governor and "performance" not in governor:
        yield Advice(
            f"governor: {governor}",
            "the clock rises only after some time under load, so short blocks run slower than "
            "long ones",
            "cpupower frequency-set --governor performance",
        )
    if host.get("turbo"):
        yield Advice(
            "turbo: on",
            "the clock depends on temperature and on the number of busy cores, which disturbs "
            "absolute latencies; ratios measured in pairs are hardly affected",
            "for absolute limits: echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or "
            "echo 0 > /sys/devices/system/cpu/cpufreq/boost",
        )


def _cores(host: Mapping[str, Any]) -> Iterator[Advice]:
    logical, physical = host.get("logical_cores"), host.get("physical_cores")
    affinity = host.get("affinity")
    usable = len(affinity) if affinity else logical
    quota = host.get("cgroup_cpu_cores")
    if (host.get("threads_per_core") or 1) > 1:
        yield Advice(
            f"hyper-threading: {logical} logical processors on {physical} cores",
            "two threads on one core share its units: one thread per processor is rarely best",
            'keep threads = "best" in the suites, or boot with one thread per core '
            "(on EC2: CpuOptions ThreadsPerCore=1)",
        )
    if quota and usable and quota < usable:
        yield Advice(
            f"cgroup quota: the time of {quota:g} cores, while {usable} processors are visible",
            "runtimes start one thread per visible processor, use up the quota early in each "
            "period and then wait for the next period, which increases p99",
            f"set threads to at most {max(1, int(quota))}, or give the container whole cores "
            "(--cpuset-cpus; in Kubernetes the static CPU manager)",
        )
    environment: Mapping[str, str] = host.get("environment") or {}
    for name, value in environment.items():
        if name.endswith("NUM_THREADS") and value.isdecimal() and usable and int(value) > usable:
            yield Advice(
                f"threads: {name}={value}, but {usable} processors are usable",
                "threads that wait for a core slow down every operator",
                f"unset {name}, or set it to at most {usable}",
            )
        if value.lower() == _SPINNING.get(name):
            yield Advice(
                f"spinning threads: {name}={value}",
                "waiting threads keep their cores busy and take them from other processes",
                f"unset {name}, unless production sets it too",
            )


def _instructions(host: Mapping[str, Any]) -> Iterator[Advice]:
    known = host.get("instruction_sets")
    if known is not None and not has_int8_dot_products(known):
        yield Advice(
            f"no instructions for int8 (known: {', '.join(known) or 'none for inference'})",
            "without VNNI, AMX or i8mm, an int8 model is hardly faster than fp32 and only saves "
            "memory",
            "set limits on int8 for hosts that have them, such as c6i, c7i, c7a, c7g, in a table "
            '[SUITE.variants.ID.on."c7i.*"]',
        )


def mismatches(libraries: Sequence[str]) -> Iterator[Advice]:
    """Yield installed packages with unmet requirements, and packages that exclude each other."""
    for name in libraries:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in distribution.requires or ():
            if unmet := _unmet(line):
                yield Advice(
                    f"library mismatch: {name} {distribution.version} requires {unmet}",
                    "with an unsupported version, a runtime may fail later or be slower",
                    f"pip install '{line.partition(';')[0].strip()}', or another version of {name}",
                )
    for one, other in _EXCLUSIVE:
        if _version(one) and _version(other):
            yield Advice(
                f"library mismatch: {one} and {other} are both installed",
                "both contain the same module, and the last one installed is imported",
                f"pip uninstall {one} {other}, then install the one that you need",
            )


def _unmet(line: str) -> str | None:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    installed = _version(requirement.name)
    if installed is None or requirement.specifier.contains(installed, prereleases=True):
        return None
    return f"{requirement.name}{requirement.specifier}, but {installed} is installed"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def _label(process: psutil.Process) -> str:
    try:
        return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return f"pid {process.pid}"
