"""The faults: how each is caused while a run waits, and how the run should end."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from tests.faults.project import LONGEST_S, FaultRun

SHORT_TIMEOUT_S = 6.0
"""Limit of an answer where a process is stopped: more than a worker needs to load."""
Bring = Callable[[FaultRun], None]


def _nothing(run: FaultRun) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    """One fault. `bring` is called while the run waits; then the waiting processes go on."""

    name: str
    bring: Bring
    codes: tuple[int, ...]
    """The right exit statuses."""
    message: str = ""
    """A pattern of what the run says about it; empty if it has nothing to say."""
    kills: bool = False
    """Whether it kills or stops the process that waits, which must not be pytest itself."""
    ends_run: bool = False
    """Whether it ends the run, so that later tests do not run."""
    small_disk: str = ""
    """The folder that is a small disk of its own: `out` or `cache`."""
    timeout_s: float = 60
    options: tuple[str, ...] = ()
    mend: Bring = field(default=_nothing)
    """Takes the fault away before the next run."""
    next_message: str = ""
    """A pattern of what the next run says about it."""


def _send(number: signal.Signals, *, to_group: bool = False) -> Bring:
    def bring(run: FaultRun) -> None:
        (os.killpg if to_group else os.kill)(run.process.pid, number)

    return bring


def _send_to_waiting(number: signal.Signals) -> Bring:
    def bring(run: FaultRun) -> None:
        os.kill(run.held()[0], number)

    return bring


def _fill(name: str) -> Bring:
    def bring(run: FaultRun) -> None:
        with (run.project.folder / name / "fill").open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"\1" * size)

    return bring


def _empty(name: str) -> Bring:
    return lambda run: (run.project.folder / name / "fill").unlink()


def _remount(how: str) -> Bring:
    def bring(run: FaultRun) -> None:
        command = ["mount", "-o", f"remount,{how}", str(run.project.cache)]
        subprocess.run(command, check=True)

    return bring


def _truncate_artifacts(pattern: str) -> Bring:
    def bring(run: FaultRun) -> None:
        files = [*run.project.cache.glob(f"*/{pattern}")]
        assert files
        for path in files:
            os.truncate(path, path.stat().st_size // 2)

    return bring


def _truncate_history(run: FaultRun) -> None:
    path = run.project.out / "benchmarks/Linux-CPython-3.11-64bit/0001_truncated.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"machine_info": {"node": "here"}, "benchmarks": [{"name"')


def _limit_memory(run: FaultRun) -> None:
    process = psutil.Process(run.held()[0])
    most = process.memory_info().vms + (64 << 20)
    process.rlimit(resource.RLIMIT_AS, (most, most))
    (run.project.gate / "allocate").touch()


def _set_clock_back(run: FaultRun) -> None:
    (run.project.gate / "set-back").touch()


def _run_another(run: FaultRun) -> None:
    """Start a second run, and let the first go on when the second has ended or waits for it."""
    other = run.project.start(waits=False)
    if run.project.stage.in_server:  # its clients wait for two seconds at most
        run.release()
    try:
        other.process.wait(10)
    except subprocess.TimeoutExpired:  # it waits for what the first one builds
        run.release()
    right = 1 if run.project.spoiled else 0
    assert other.process.wait(LONGEST_S) == right, other.text
    other.document()


FAULTS = (
    Fault(
        "SIGKILL of the process",
        _send_to_waiting(signal.SIGKILL),
        (1,),
        "was killed by SIGKILL",
        kills=True,
    ),
    Fault(
        "SIGSTOP of the process",
        _send_to_waiting(signal.SIGSTOP),
        (1,),
        f"did not answer within {SHORT_TIMEOUT_S:g} s",
        kills=True,
        timeout_s=SHORT_TIMEOUT_S,
    ),
    Fault("SIGINT", _send(signal.SIGINT, to_group=True), (2,), "KeyboardInterrupt", ends_run=True),
    Fault("SIGTERM", _send(signal.SIGTERM), (2,), "Terminated: SIGTERM", ends_run=True),
    Fault("SIGHUP", _send(signal.SIGHUP, to_group=True), (2,), "Terminated: SIGHUP", ends_run=True),
    Fault(
        "full disk of the results",
        _fill("out"),
        (1,),
        "No space left on device",
        small_disk="out",
        mend=_empty("out"),
    ),
    Fault(
        "full disk of the cache",
        _fill("cache"),
        (0,),
        small_disk="cache",
        mend=_empty("cache"),
    ),
    Fault(
        "cache read-only",
        _remount("ro"),
        (0,),
        small_disk="cache",
        mend=_remount("rw"),
    ),
    Fault(
        "truncated weights in the cache",
        _truncate_artifacts("weights.bin"),
        (0,),
        next_message="is damaged .* and is built again",
    ),
    Fault(
        "truncated manifest in the cache",
        _truncate_artifacts("infperf-artifact.json"),
        (0,),
        next_message="is damaged .* and is built again",
    ),
    Fault(
        "truncated run in the history",
        _truncate_history,
        (0,),
        "0001_truncated.json",
        options=("--infperf-html",),
    ),
    Fault("out of memory", _limit_memory, (1,), "MemoryError", kills=True),
    Fault("clock set back", _set_clock_back, (0,)),
    Fault("two runs at once", _run_another, (0,)),
)
