"""The server's first process: binds the port, starts the server processes and restarts dead ones.

The deployment is in the environment (`settings.ENVIRONMENT`). When the port is bound, it is written
to stdout, as one line. When requests are answered, a line on stderr gives the URL.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from threading import Thread
from time import sleep
from types import FrameType
from typing import NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from pytest_infperf.errors import UserError
from pytest_infperf.host.environment import refuse_observers
from pytest_infperf.host.processes import PARENT_VARIABLE, die_with_parent
from pytest_infperf.serving.server import logs
from pytest_infperf.serving.server.address import bound
from pytest_infperf.serving.server.engine import place_process
from pytest_infperf.serving.server.settings import (
    ENVIRONMENT,
    METRICS_FOLDER,
    METRICS_PREFIX,
    Deployment,
)

_ACCEPTS = 32
"""Number of copies of the listening socket.

libuv, the event loop of uvloop, accepts one connection per socket and iteration. With one socket,
connections wait for seconds when many clients connect at once and all of them send requests.
"""
_LOADING_S = 60
"""Grace period for health checks of a process that imports a runtime, in seconds."""
_POLL_S = 0.05
_ANSWER_S = 5.0
"""Time limit of the answer to the first request, in seconds."""
_REMOVE = """exec 3<&0
{ cat <&3; for i in 1 2 3 4 5; do rm -rf "$0" && break; sleep 0.2; done; } &"""
"""Shell program that ends at once and leaves a process that removes the folder."""
_APPLICATION = "pytest_infperf.serving.server.app:from_environment"


def main() -> None:
    is_measured = PARENT_VARIABLE in os.environ
    if is_measured:
        die_with_parent()
    deployment = Deployment.from_json(os.environ[ENVIRONMENT])
    with _metrics_folder():
        _place_and_serve(deployment, is_measured)


def _place_and_serve(deployment: Deployment, is_measured: bool) -> None:
    try:
        if is_measured:
            refuse_observers()
        place_process(deployment)
        listener = bound(deployment.host, deployment.port)
    except UserError as error:
        print(f"infperf serve: {error}", file=sys.stderr)
        sys.exit(2)
    _serve(deployment, listener)


def _announce(title: str, host: str, port: int) -> None:
    """Write the URLs to stderr as soon as a server process answers.

    The page at / exists only for a payload with a form.
    """
    while not _answer(host, port, "/healthz"):
        sleep(_POLL_S)
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}"
    has_page = _answer(host, port, "/").endswith(b" 200")
    page = f"try it at {url}/, " if has_page else ""
    print(f"{title} on {url}: {page}API at {url}/docs", file=sys.stderr, flush=True)


def _answer(host: str, port: int, path: str) -> bytes:
    """Return the protocol and the status of the answer to a GET request; empty if there is none."""
    with suppress(OSError), socket.create_connection((host, port), timeout=_ANSWER_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nhost: {host}\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            return answer.read(len(b"HTTP/1.1 200"))
    return b""


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """Provide the folder of metrics to this process and to those that it starts.

    The folder is removed by another process if this one is killed.
    """
    if given := os.environ.get(METRICS_FOLDER):
        # Any other folder belongs to the user.
        is_ours = os.path.basename(given).startswith(METRICS_PREFIX)
        with _removed_at_the_end(given) if is_ours else nullcontext():
            yield
        return
    with tempfile.TemporaryDirectory(prefix=METRICS_PREFIX, ignore_cleanup_errors=True) as name:
        os.environ[METRICS_FOLDER] = name
        try:
            with _removed_at_the_end(name):
                yield
        finally:
            del os.environ[METRICS_FOLDER]


@contextmanager
def _removed_at_the_end(folder: str) -> Iterator[None]:
    """Have a folder removed when this process ends, even if it is killed.

    A shell waits for the end of its input, which only this process can write. It is not a child of
    this process, so it is neither measured nor killed with it.
    """
    if os.name != "posix":
        yield
        return
    reading, writing = os.pipe()
    subprocess.run(
        ["/bin/sh", "-c", _REMOVE, folder],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )
    os.close(reading)
    try:
        yield
    finally:
        os.close(writing)


def _serve(deployment: Deployment, listener: socket.socket) -> None:
    limits = deployment.limits
    config = uvicorn.Config(
        _APPLICATION,
        factory=True,
        host=deployment.host,
        port=deployment.port,
        http="pytest_infperf.serving.server.protocol:LimitedProtocol",
        ws="none",
        workers=limits.workers,
        log_config=logs.log_settings(deployment.log),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=round(limits.timeout_s) + 1,
        timeout_worker_healthcheck=_LOADING_S,
    )
    port = listener.getsockname()[1]
    print(port, flush=True)
    if deployment.title:
        address = (deployment.title, deployment.host, port)
        Thread(target=_announce, args=address, daemon=True).start()
    signal.signal(signal.SIGTERM, _exit)  # uvicorn raises the signal again at its end
    sockets = [listener, *(listener.dup() for _ in range(_ACCEPTS - 1))]
    try:
        if limits.workers > 1:
            _Processes(config, sockets=sockets).run()
        else:
            uvicorn.Server(config).run(sockets=sockets)
    except KeyboardInterrupt:
        sys.exit(130)


class _Processes(Multiprocess):
    def join_all(self) -> None:
        """Close this process's copy of the socket too, so that no connection waits forever."""
        for listener in self.sockets:
            listener.close()
        super().join_all()


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
