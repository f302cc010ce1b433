"""The server's first process: binds the port, starts the workers, and starts those anew that die.

What it serves stands in the environment (`settings.ENVIRONMENT`). When it listens, it writes a line
to stdout: the port.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from types import FrameType
from typing import NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from pytest_infperf.serving.server import logs
from pytest_infperf.serving.server.engine import place
from pytest_infperf.serving.server.settings import ENVIRONMENT, METRICS_FOLDER, Deployment

_LOADING_S = 60
_APPLICATION = "pytest_infperf.serving.server.app:from_environment"


def main() -> None:
    deployment = Deployment.from_json(os.environ[ENVIRONMENT])
    place(deployment)
    limits = deployment.limits
    counts = tempfile.mkdtemp(prefix="infperf-metrics-")
    os.environ[METRICS_FOLDER] = counts
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
        timeout_worker_healthcheck=_LOADING_S,  # a runtime being imported answers nothing
    )
    socket = config.bind_socket()
    print(socket.getsockname()[1], flush=True)
    signal.signal(signal.SIGTERM, _end)  # uvicorn raises it once more when it has ended
    try:
        if limits.workers > 1:
            Multiprocess(config, sockets=[socket]).run()
        else:
            uvicorn.Server(config).run(sockets=[socket])
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(counts, ignore_errors=True)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
