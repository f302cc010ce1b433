"""Servers of the fake backend that tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests import chromium
from tests.chromium import Page
from tests.serving.server.echo_server import (
    GATED_SUITE,
    SUITE,
    Gate,
    Running,
    Serve,
    serve_command,
)


@pytest.fixture(scope="session")
def echo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("served"), SUITE)


def written(folder: Path, suite: str) -> Path:
    (folder / "suite.py").write_text(suite)
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def serve(echo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return a function that starts a server; all of them are ended at the end."""
    running: list[Running] = []

    def start(*options: str, folder: Path = echo_folder, workers: int = 1) -> Running:
        stderr = tmp_path_factory.mktemp("server") / "stderr"
        process = serve_command(folder, stderr, "--workers", str(workers), *options)
        assert process.stdout
        port = process.stdout.readline().strip()
        if not port:
            pytest.fail(stderr.read_text())
        server = Running(f"http://127.0.0.1:{port}", process, stderr)
        running.append(server)
        deadline = monotonic() + 60
        while monotonic() < deadline:
            with suppress(OSError):
                if server.metric("infperf_ready_workers") == workers:
                    return server
            sleep(0.05)
        pytest.fail("the server did not become ready")

    yield start
    for server in running:
        server.process.terminate()
    for server in running:
        server.process.communicate(timeout=30)


@pytest.fixture
def gated(serve: Serve, tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    """Start a server whose model waits until the gate is opened."""
    gates: list[Gate] = []

    def start(*options: str) -> Gate:
        folder = written(tmp_path, GATED_SUITE)
        gates.append(gate := Gate(serve(*options, folder=folder), folder))
        gate.close()
        return gate

    yield start
    for gate in gates:
        gate.open()


@pytest.fixture(scope="session")
def echo(serve: Serve) -> Running:
    """Return a server that many tests share."""
    return serve()


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Return the page of a browser that many tests share; they open an address first."""
    with chromium.opened(tmp_path_factory.mktemp("browser")) as page:
        yield page
