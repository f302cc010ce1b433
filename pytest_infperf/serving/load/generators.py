"""The run's side of load: starts a generator's processes, and reads what they saw."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from time import monotonic, sleep

import psutil

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.host.processes import OutputTail, how_it_ended
from pytest_infperf.serving.load import traffic
from pytest_infperf.serving.load.config import GeneratorConfig
from pytest_infperf.serving.load.traffic import Traffic
from pytest_infperf.suite.loads import ClosedLoop

__tracebackhide__ = errors.meant_for_the_user

_STARTING_S = 60.0
_WRITING_S = 20.0
_POLL_S = 0.05
_LOCUST_FILE = Path(__file__).parent / "locust_users.py"


@dataclass(frozen=True)
class Target:
    """Where requests go."""

    url: str
    path: str
    bodies: Sequence[bytes]
    """Of requests, each without a line break; sent in turn."""
    samples: int
    """Of a request."""
    timeout_s: float
    cpus: Sequence[int] | None
    """Of the generator."""


def open_loop(target: Target, rate: float, seconds: float, seed: int) -> Traffic:
    """Requests a second at random times: a Poisson process drawn with the seed."""
    return _sent(target, seconds, {"seed": seed, "rate": rate})


def streams(
    target: Target, seconds: float, connections: int = 1, requests: int | None = None
) -> Traffic:
    """On each connection a request after the other."""
    return _sent(target, seconds, {"connections": connections, "requests": requests})


def closed_loop(target: Target, load: ClosedLoop, seconds: float) -> Traffic:
    """Locust's users, for whole seconds."""
    workers = _workers_of_their_own(load.generators) if load.generators > 1 else []
    command = [
        sys.executable, "-m", "locust", "-f", str(_LOCUST_FILE), "--headless", "--only-summary",
        "--users", str(load.users), "--spawn-rate", f"{load.spawn_rate or load.users:g}",
        "--run-time", str(ceil(seconds)), "--stop-timeout", str(ceil(target.timeout_s)),
        "--host", target.url, "--exit-code-on-error", "0", "--skip-log-setup", *workers,
    ]  # fmt: skip
    return _sent(target, seconds, {}, command, load.generators)


def _workers_of_their_own(number: int) -> list[str]:
    """Their master has a port to itself: with Locust's default, runs at once would share it."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    return ["--processes", str(number), "--master-bind-port", port, "--master-port", port]


def _sent(
    target: Target,
    seconds: float,
    how: Mapping[str, object],
    command: Sequence[str] = (sys.executable, "-m", "pytest_infperf.serving.load.open_loop"),
    processes: int = 1,
) -> Traffic:
    with tempfile.TemporaryDirectory(prefix="infperf-load-") as name:
        folder = Path(name)
        bodies = folder / "bodies"
        bodies.write_bytes(b"\n".join(target.bodies))
        plan = replace(
            GeneratorConfig(
                target.url,
                target.path,
                str(bodies),
                str(folder / "replies"),
                seconds,
                target.timeout_s,
            ),
            **how,  # type: ignore[arg-type]
        )
        ending_s = _STARTING_S + seconds + 2 * target.timeout_s
        with closing(OutputTail()) as words:
            _run(command, plan, target.cpus, ending_s, words)
            files = _files(folder, processes, _WRITING_S + target.timeout_s, words)
        return traffic.read(files, target.samples)


def _files(folder: Path, processes: int, timeout_s: float, words: OutputTail) -> list[Path]:
    """What each process of the generator wrote.

    Locust's workers may end after their master, by the time that a last answer may take.

    Raises WorkerError when one wrote nothing, for its requests were sent and would not count.
    """
    until = monotonic() + timeout_s
    while True:
        files = list(folder.glob("replies*"))
        if len(files) >= processes:
            return files
        if monotonic() > until:
            raise WorkerError(
                f"{processes - len(files)} of {processes} processes of the load generator left no "
                f"record of what they sent{words}"
            )
        sleep(_POLL_S)


def _run(
    command: Sequence[str],
    plan: GeneratorConfig,
    cpus: Sequence[int] | None,
    timeout_s: float,
    words: OutputTail,
) -> None:
    process = subprocess.Popen(
        command,
        env={**os.environ, **plan.to_environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=words.file,
        start_new_session=True,
    )
    try:
        if cpus is not None:
            with suppress(psutil.NoSuchProcess, AttributeError):
                psutil.Process(process.pid).cpu_affinity(list(cpus))
        if code := process.wait(timeout_s):
            raise WorkerError(f"the load generator {how_it_ended(code)}{words}")
    except subprocess.TimeoutExpired:
        raise WorkerError(f"the load generator did not end within {timeout_s:g} s{words}") from None
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
