"""The process of `endpoint_app.py`, as a fixture."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of a running server."""
    port = free_port()
    command = ["-m", "uvicorn", "endpoint_app:app", f"--port={port}", "--log-level=warning"]
    process = subprocess.Popen([sys.executable, *command], cwd=Path(__file__).parent)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = monotonic() + 30
        while monotonic() < deadline and process.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(f"{url}/clients", trust_env=False)
                break
            sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()
