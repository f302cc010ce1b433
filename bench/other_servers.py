"""Servers of other projects that do the same work as ours, each in one process on the same cores.

Each server has its default limit on waiting requests. One thread does the work of all requests.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bench import http_server

_APP = """
import asyncio, json, os
from concurrent.futures import ThreadPoolExecutor
from pytest_infperf.backends.fake import spin

thread = ThreadPoolExecutor(1)

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body")
    answer = {}
    if scope["method"] == "POST":
        work = asyncio.get_running_loop().run_in_executor(thread, spin, int(os.environ["WORK_NS"]))
        await work
        answer = {"predictions": json.loads(body)["instances"]}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
"""
_LITSERVE = """
import os, sys
import litserve
from pytest_infperf.backends.fake import spin

class Echo(litserve.LitAPI):
    def setup(self, device):
        pass

    def decode_request(self, request):
        return request["instances"]

    def predict(self, instances):
        spin(int(os.environ["WORK_NS"]))
        return instances

    def encode_response(self, instances):
        return {"predictions": instances}

if __name__ == "__main__":
    server = litserve.LitServer(
        Echo(api_path=sys.argv[2]), accelerator="cpu", workers_per_device=1,
        healthcheck_path="/healthz",
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, log_level="error",
        access_log=False, generate_client_file=False,
    )
"""
_MODULES = {
    "uvicorn": "uvicorn",
    "Gunicorn with a uvicorn worker": "uvicorn_worker",
    "Granian": "granian",
    "LitServe": "litserve",
}
"""Modules that must be installed, by the name of the server."""


def installed() -> list[str]:
    """Return the names of the servers that can be started here."""
    return [name for name, module in _MODULES.items() if find_spec(module)]


def missing() -> list[str]:
    """Return the names of the servers that are not installed."""
    return [name for name in _MODULES if name not in installed()]


@contextmanager
def started(
    name: str, path: str, work_s: float, cores: Sequence[int], folder: Path
) -> Iterator[str]:
    """Start a server and yield its base URL when it answers; stop it at the end of the block.

    Parameters
    ----------
    name : str
        One of `installed`.
    path : str
        The path that requests are posted to.
    work_s : float
        CPU time of the work for a request, in seconds.
    cores : sequence of int
        The cores of the server.
    folder : Path
        A folder for the module of the application.
    """
    (folder / "other_app.py").write_text(_APP)
    (folder / "other_litserve.py").write_text(_LITSERVE)
    with http_server.started(
        lambda port: _command(name, port, path),
        folder,
        cores,
        {"WORK_NS": str(round(1e9 * work_s))},
    ) as url:
        yield url


def _command(name: str, port: int, path: str) -> list[str]:
    at = ["--host", "127.0.0.1", "--port", str(port)]
    commands = {
        "uvicorn": ["uvicorn", "other_app:app", "--log-level", "error", "--no-access-log", *at],
        "Gunicorn with a uvicorn worker": [
            "gunicorn", "other_app:app", "--workers", "1", "--log-level", "error",
            "--worker-class", "uvicorn_worker.UvicornWorker", "--bind", f"127.0.0.1:{port}",
        ],
        "Granian": [
            "granian", "other_app:app", "--interface", "asginl", "--workers", "1",
            "--log-level", "error", *at,
        ],
    }  # fmt: skip
    if name == "LitServe":
        return [sys.executable, "other_litserve.py", str(port), path]
    return [sys.executable, "-m", *commands[name]]
