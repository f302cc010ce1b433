"""What on a host disturbs measuring or slows inference: each with why it matters and what to do.

The checks read a fingerprint and what was seen of the host for a moment; they change nothing.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any

import psutil
from packaging.requirements import InvalidRequirement, Requirement

from pytest_infperf.host.cpu import has_int8_dot_products
from pytest_infperf.host.fingerprint import fingerprint

WATCHED_S = 2.0
_DISTURBING_SHARE = 0.02
_BUSY_SHARE = 0.2
_LEAST_FREE_BYTES = 2 * 2**30
_SPINNING = {"OMP_WAIT_POLICY": "active", "KMP_BLOCKTIME": "infinite", "GOMP_SPINCOUNT": "infinite"}
_RIVALS = (("onnxruntime", "onnxruntime-gpu"), ("tensorflow", "tensorflow-cpu"))


@dataclass(frozen=True)
class Advice:
    seen: str
    why: str
    do: str


@dataclass(frozen=True)
class Watched:
    """A few seconds of the host's life, as shares of all its processors' time."""

    steal: float
    busy: Sequence[tuple[str, float]]
    """Processes that took more than a little, each with its share of one core."""
    free_bytes: int
    swap_used_bytes: int


def look(libraries: Sequence[str]) -> list[Advice]:
    """Look at this host; takes a little over WATCHED_S seconds."""
    host = fingerprint(libraries)
    return [*examine(host, watch()), *mismatches(libraries)]


def watch(seconds: float = WATCHED_S) -> Watched:
    before = psutil.cpu_times()
    spent = {p.pid: _cpu_s(p) for p in psutil.process_iter()}
    sleep(seconds)
    after = psutil.cpu_times()
    total = sum(after) - sum(before)
    busy = []
    for process in psutil.process_iter():
        share = (_cpu_s(process) - spent.get(process.pid, 0.0)) / seconds
        if share > _BUSY_SHARE and process.pid != psutil.Process().pid:
            busy.append((_called(process), share))
    steal = getattr(after, "steal", 0.0) - getattr(before, "steal", 0.0)
    return Watched(
        steal / total if total else 0.0,
        sorted(busy, key=lambda its: -its[1]),
        psutil.virtual_memory().available,
        psutil.swap_memory().used,
    )


def examine(host: Mapping[str, Any], watched: Watched) -> Iterator[Advice]:
    """What of these facts is worth a line, the most disturbing first."""
    yield from _disturbers(host, watched)
    yield from _clock(host)
    yield from _cores(host)
    yield from _instructions(host)


def _disturbers(host: Mapping[str, Any], watched: Watched) -> Iterator[Advice]:
    since_boot = host.get("steal_fraction") or 0.0
    if max(watched.steal, since_boot) > _DISTURBING_SHARE:
        yield Advice(
            f"steal: other guests took {watched.steal:.1%} of the processors' time in the last "
            f"{WATCHED_S:g} s, {since_boot:.1%} since boot",
            "a query that is interrupted takes longer, whatever the code; blocks that lost more "
            "than 5 % are measured again, which costs budget",
            "use an instance that shares no cores (c7i, m7i; not t3 or t4g, whose credits run "
            "out), or a larger budget",
        )
    for name, share in watched.busy:
        yield Advice(
            f"another process is busy: {name} with {share:.0%} of a core",
            "it competes for cores and caches, and an idle thread pool that spins does too",
            "stop it while measuring, or keep one job a runner",
        )
    if watched.free_bytes < _LEAST_FREE_BYTES:
        yield Advice(
            f"memory: {watched.free_bytes / 1e9:.1f} GB are free",
            "baseline and variant are loaded at the same time; what is swapped is slow, and the "
            "kernel ends a process when nothing is left",
            "use a larger instance or a smaller model; stop what holds memory",
        )
    if watched.swap_used_bytes > 64 * 2**20:
        yield Advice(
            f"swap: {watched.swap_used_bytes / 1e6:.0f} MB are in use",
            "a page that comes back from disk costs milliseconds in the middle of a query",
            "free memory, or switch swap off on a runner: swapoff -a",
        )


def _clock(host: Mapping[str, Any]) -> Iterator[Advice]:
    governor = host.get("governor")
    if governor and "performance" not in governor:
        yield Advice(
            f"governor: {governor}",
            "the clock rises only after a moment of load, so that short blocks run slower than "
            "long ones",
            "cpupower frequency-set --governor performance",
        )
    if host.get("turbo"):
        yield Advice(
            "turbo: on",
            "the clock depends on temperature and on how many cores work; ratios measured in pairs "
            "bear it, absolute latencies do not",
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
            "two threads on one core share its units: as many threads as processors is rarely best",
            'keep threads = "best" in the suites, or boot with one thread a core '
            "(on EC2: CpuOptions ThreadsPerCore=1)",
        )
    if quota and usable and quota < usable:
        yield Advice(
            f"cgroup quota: {quota:g} cores' worth of time, while {usable} processors are seen",
            "runtimes start as many threads as they see processors, use the quota up early in each "
            "period and stand still for the rest of it, which shows in p99",
            f"set threads to at most {max(1, int(quota))}, or give the container whole cores "
            "(--cpuset-cpus; in Kubernetes the static CPU manager)",
        )
    environment: Mapping[str, str] = host.get("environment") or {}
    for name, value in environment.items():
        if name.endswith("NUM_THREADS") and value.isdecimal() and usable and int(value) > usable:
            yield Advice(
                f"threads: {name}={value}, and {usable} processors are usable",
                "threads that wait for each other's core make every operator slower",
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
            f"no instructions for int8 (it has {', '.join(known) or 'none that matter'})",
            "without VNNI, AMX or i8mm an int8 model computes hardly faster than fp32; what it "
            "saves is memory",
            "gate int8 on hosts that have them, such as c6i, c7i, c7a, c7g, with a table "
            '[SUITE.variants.ID.on."c7i.*"]',
        )


def mismatches(libraries: Sequence[str]) -> Iterator[Advice]:
    """Installed packages whose requirements are not met by what is installed beside them."""
    for name in libraries:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for line in distribution.requires or ():
            if unmet := _unmet(line):
                yield Advice(
                    f"library mismatch: {name} {distribution.version} wants {unmet}",
                    "a runtime beside a version that it was not made for fails late, or is slower",
                    f"pip install '{line.partition(';')[0].strip()}', or another version of {name}",
                )
    for one, other in _RIVALS:
        if _version(one) and _version(other):
            yield Advice(
                f"library mismatch: {one} and {other} are both installed",
                "they own the same module, and which one is imported depends on the order of "
                "installing",
                f"pip uninstall {one} {other}, then install the one that is meant",
            )


def _unmet(line: str) -> str | None:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    found = _version(requirement.name)
    if found is None or requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name}{requirement.specifier}, and {found} is installed"


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


def _called(process: psutil.Process) -> str:
    try:
        return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return f"pid {process.pid}"
