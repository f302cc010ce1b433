"""The server's first process: binds the port, starts the server processes and restarts dead ones.

The deployment is in the environment (`settings.ENVIRONMENT`). Once the process listens, it writes
the port to stdout, as one line.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from pytest_infperf.errors import UserError
from pytest_infperf.host.environment import refuse_observers
from pytest_infperf.host.processes import PARENT_VARIABLE, die_with_parent
from pytest_infperf.serving.server import logs
from pytest_infperf.serving.server.engine import place_process
from pytest_infperf.serving.server.settings import ENVIRONMENT, METRICS_FOLDER, Deployment

_LOADING_S = 60
"""Time in which a process that imports a runtime need not answer a health check, in seconds."""
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
    except UserError as error:
        sys.exit(str(error))
    with _metrics_folder():
        _serve(deployment)


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


def _serve(deployment: Deployment) -> None:
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
    socket = config.bind_socket()
    print(socket.getsockname()[1], flush=True)
    signal.signal(signal.SIGTERM, _exit)  # uvicorn raises the signal again when it has ended
    try:
        if limits.workers > 1:
            Multiprocess(config, sockets=[socket]).run()
        else:
            uvicorn.Server(config).run(sockets=[socket])
    except KeyboardInterrupt:
        sys.exit(130)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
