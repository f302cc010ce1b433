"""Load generators as separate processes, each of which is started for one load."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from time import monotonic, sleep
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.host.processes import (
    OutputTail,
    child_environment,
    how_it_ended,
    kill_group,
)
from pytest_infperf.serving.load import traffic
from pytest_infperf.serving.load.config import GeneratorConfig
from pytest_infperf.serving.load.streamed import streamed_body
from pytest_infperf.serving.load.traffic import Traffic
from pytest_infperf.suite.backend import Address
from pytest_infperf.suite.loads import ClosedLoop

__tracebackhide__ = errors.meant_for_the_user

_STARTUP_S = 60.0
_WRITING_S = 20.0
_POLL_S = 0.05
_LOCUST_FILE = Path(__file__).parent / "locust_users.py"
_OPEN_LOOP = (sys.executable, "-m", "pytest_infperf.serving.load.open_loop")


@dataclass(frozen=True)
class Target:
    """The destination of requests, and the requests themselves."""

    url: str
    """Base URL of the server."""
    path: str
    """Path that requests are posted to."""
    bodies: Sequence[bytes]
    """Request bodies without line breaks; they are sent in turn."""
    samples: int
    """Samples in each request."""
    timeout_s: float
    """Time after which a request counts as an error, in seconds."""
    cpus: Sequence[int] | None
    """Cores of the generator; None for any."""
    refused: Mapping[int, str] = field(default_factory=dict)
    """Why samples cannot be sent in a request, by their numbers."""
    replica_urls: Sequence[str] = ()
    """Base URLs of servers that receive requests in turn, as from a load balancer; empty sends all
    requests to `url`. Closed loops do not use it."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers of each request, in addition to its content type."""
    certificates: str | None = None
    """Path of a file with the certificates of authorities; None for the usual ones."""
    uses_proxies: bool = False
    """Whether the proxies of the environment are used."""
    secrets: Sequence[str] = field(default=(), repr=False)
    """Texts that messages must not show, each before those that are a part of it."""
    launcher: Sequence[str] = ()
    """Command that runs the generator, for example in another network namespace."""
    streams: bool = False
    """Whether the requests ask for streamed responses, by OpenAI's API."""
    whole_because: str = ""
    """Why they do not, if the model generates tokens; empty otherwise."""

    @classmethod
    def at(cls, address: Address, bodies: Sequence[bytes], samples: int = 1) -> Self:
        """Return the destination for the address of a server that is not part of the run."""
        parts = urlsplit(address.url)
        return cls(
            f"{parts.scheme}://{parts.netloc}",
            urlunsplit(("", "", parts.path or "/", parts.query, "")),
            bodies,
            samples,
            address.timeout_s,
            None,
            headers=address.headers,
            certificates=address.certificates,
            uses_proxies=not address.is_here,
            secrets=address.secrets,
        )

    def streamed(self) -> Self:
        """Return the destination with requests that ask for streamed responses.

        Raises UserError if a request is not a JSON object.
        """
        return replace(self, bodies=[*map(streamed_body, self.bodies)], streams=True)


def open_loop(
    target: Target, rate: float, seconds: float, seed: int, requests: int | None = None
) -> Traffic:
    """Send requests at the times of a Poisson process, whether or not earlier ones are answered.

    `rate` is in requests per second; the times are drawn with the seed. `requests` is the maximum
    number.
    """
    return _generate(target, seconds, {"seed": seed, "rate": rate, "requests": requests})


def streams(
    target: Target, seconds: float, connections: int = 1, requests: int | None = None
) -> Traffic:
    """Send requests on each connection one after the other.

    `requests` is the maximum number over all connections.
    """
    return _generate(target, seconds, {"connections": connections, "requests": requests})


def closed_loop(target: Target, load: ClosedLoop, seconds: float) -> Traffic:
    """Send requests with Locust's users, for `seconds` rounded up to a whole number.

    The run ends earlier when the load's number of requests has been sent.
    """
    assert not target.replica_urls
    workers = _locust_workers(load.generators) if load.generators > 1 else []
    command = [
        sys.executable, "-m", "locust", "-f", str(_LOCUST_FILE), "--headless", "--only-summary",
        "--users", str(load.users), "--spawn-rate", f"{load.spawn_rate or load.users:g}",
        "--run-time", str(ceil(seconds)), "--stop-timeout", str(ceil(target.timeout_s)),
        "--host", target.url, "--exit-code-on-error", "0", "--skip-log-setup", *workers,
    ]  # fmt: skip
    return _generate(target, seconds, {"requests": load.total}, command, load.generators)


def _locust_workers(number: int) -> list[str]:
    """Return options for Locust workers whose master has a free port.

    With Locust's default port, the workers of simultaneous runs could connect to the wrong master.
    """
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    return ["--processes", str(number), "--master-bind-port", port, "--master-port", port]


def _generate(
    target: Target,
    seconds: float,
    options: Mapping[str, object],
    command: Sequence[str] = _OPEN_LOOP,
    processes: int = 1,
) -> Traffic:
    """Run a generator to its end, and return the traffic that its processes recorded."""
    with tempfile.TemporaryDirectory(prefix="infperf-load-") as name:
        folder = Path(name)
        bodies = folder / "bodies"
        bodies.write_bytes(b"\n".join(target.bodies))
        config = replace(
            GeneratorConfig(
                target.url,
                target.path,
                str(bodies),
                str(folder / "replies"),
                seconds,
                target.timeout_s,
                replica_urls=target.replica_urls,
                headers=target.headers,
                certificates=target.certificates,
                uses_proxies=target.uses_proxies,
                streams=target.streams,
            ),
            **options,  # type: ignore[arg-type]
        )
        timeout_s = _STARTUP_S + seconds + 2 * target.timeout_s
        with closing(OutputTail()) as stderr:
            _run([*target.launcher, *command], config, target.cpus, timeout_s, stderr)
            files = _reply_files(folder, processes, _WRITING_S + target.timeout_s, stderr)
        return traffic.read(files, target.samples)


def _reply_files(folder: Path, processes: int, timeout_s: float, stderr: OutputTail) -> list[Path]:
    """Return the file that each process of the generator wrote.

    Locust's workers may end after their master, by up to the time of a last answer.

    Raises WorkerError if a process wrote no file, because its requests could not be counted.
    """
    until = monotonic() + timeout_s
    while True:
        files = list(folder.glob("replies*"))
        if len(files) >= processes:
            return files
        if monotonic() > until:
            raise WorkerError(
                f"{processes - len(files)} of {processes} processes of the load generator wrote no "
                f"record of their requests{stderr}"
            )
        sleep(_POLL_S)


def _run(
    command: Sequence[str],
    config: GeneratorConfig,
    cpus: Sequence[int] | None,
    timeout_s: float,
    stderr: OutputTail,
) -> None:
    process = subprocess.Popen(
        command,
        env={**child_environment(), **config.to_environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr.file,
        start_new_session=True,
    )
    try:
        if cpus is not None:
            with suppress(ProcessLookupError, AttributeError):  # not all systems have affinity
                os.sched_setaffinity(process.pid, cpus)
        if code := process.wait(timeout_s):
            raise WorkerError(f"the load generator {how_it_ended(code)}{stderr}")
    except subprocess.TimeoutExpired:
        raise WorkerError(
            f"the load generator did not end within {timeout_s:g} s{stderr}"
        ) from None
    finally:
        if process.poll() is None:
            kill_group(process.pid)
            process.wait()
