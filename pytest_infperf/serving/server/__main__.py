"""The server's first process: binds the port, starts the server processes and restarts dead ones.

The deployment is in the environment (`settings.ENVIRONMENT`). Once the port is bound, it is written
to stdout, as one line. Once connections are accepted, a line on stderr gives the URL.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from pytest_infperf.serving.server.settings import ENVIRONMENT, METRICS_FOLDER, Deployment

_LOADING_S = 60
"""Time in which a process that imports a runtime need not answer a health check, in seconds."""
_POLL_S = 0.05
_APPLICATION = "pytest_infperf.serving.server.app:from_environment"


def main() -> None:
    is_measured = PARENT_VARIABLE in os.environ
    if is_measured:
        die_with_parent()
    deployment = Deployment.from_json(os.environ[ENVIRONMENT])
    try:
        if is_measured:
            refuse_observers()
        place_process(deployment)
        listener = bound(deployment.host, deployment.port)
    except UserError as error:
        print(f"infperf serve: {error}", file=sys.stderr)
        sys.exit(2)
    with _metrics_folder():
        _serve(deployment, listener)


def _announce(title: str, host: str, port: int) -> None:
    """Write the URL to stderr as soon as a server process accepts connections."""
    while True:
        with suppress(OSError), socket.create_connection((host, port), timeout=1):
            break
        sleep(_POLL_S)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"{title} on {url}, described at {url}/docs", file=sys.stderr, flush=True)


@contextmanager
def _metrics_folder() -> Iterator[None]:
    """Provide the folder of metrics to this process and to those that it starts.

    A process that kills this one keeps the folder, and removes it.
    """
    if METRICS_FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="infperf-metrics-", ignore_cleanup_errors=True) as name:
        os.environ[METRICS_FOLDER] = name
        try:
            yield
        finally:
            del os.environ[METRICS_FOLDER]


def _serve(deployment: Deployment, listener: socket.socket) -> None:
    limits = deployment.limits
    config = uvicorn.Config(
        _APPLICATION,
        factory=True,
        host=deployment.host,
        port=deployment.port,
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
    signal.signal(signal.SIGTERM, _exit)  # uvicorn raises the signal again when it has ended
    try:
        if limits.workers > 1:
            Multiprocess(config, sockets=[listener]).run()
        else:
            uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        sys.exit(130)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
