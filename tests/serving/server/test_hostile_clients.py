"""Clients that send too much, too slowly or not at all, with raw sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

import psutil
import pytest

from pytest_infperf.serving.server import protocol
from tests.serving.server.echo_server import PREDICT, Gate, Running, Serve, serve_command
from tests.serving.server.test_load_on_a_server import held_up, refuses_connections, wait_until

POST = f"POST {PREDICT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n".encode()


@contextmanager
def connected(server: Running) -> Iterator[socket.socket]:
    address = urlparse(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        yield connection


def answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Return the status and the body of the next answer."""
    with connection.makefile("rb") as lines:
        status = int(lines.readline().split()[1])
        length = 0
        while (line := lines.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, json.loads(lines.read(length))


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes the connection."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (b"a: b\r\n" * 200, "more than 100 headers"),
        (b"".join(b"h%d: %s\r\n" % (i, b"x" * 2000) for i in range(50)), "larger than 65536 bytes"),
        (b"one: " + b"x" * 400_000, "larger than 65536 bytes"),
    ],
)
def test_too_many_headers_answer_431(echo: Running, headers: bytes, words: str) -> None:
    series = 'infperf_requests_total{route="other",status="431"}'
    before = echo.metric(series)
    with connected(echo) as connection:
        connection.sendall(POST + headers)
        status, body = answer(connection)
        assert is_closed(connection)
    assert status == 431
    assert body["error"]["code"] == "headers_too_large"  # type: ignore[index]
    assert words in body["error"]["message"]  # type: ignore[index]
    assert echo.metric(series) == before + 1


def test_invalid_http_is_answered_with_400_in_the_same_form(echo: Running) -> None:
    with connected(echo) as connection:
        connection.sendall(b"hello\r\n\r\n")
        status, body = answer(connection)
    error = body["error"]
    assert error.pop("request_id")  # type: ignore[attr-defined]
    assert (status, error) == (
        400, {"code": "not_http", "message": "the request is not valid HTTP"}
    )  # fmt: skip


def test_many_headers_within_the_limits_are_taken(echo: Running) -> None:
    body = b'{"instances": ["a"]}'
    headers = b"".join(b"h%d: x\r\n" % i for i in range(97))
    with connected(echo) as connection:
        connection.sendall(POST + headers + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert answer(connection) == (200, {"predictions": ["a"]})


def test_headers_that_do_not_end_answer_408_and_silence_is_closed(echo: Running) -> None:
    with connected(echo) as slow, connected(echo) as silent, connected(echo) as idle:
        slow.sendall(POST)
        idle.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answer(idle) == (200, {"status": "alive"})
        status, body = answer(slow)
        assert (status, body["error"]["code"]) == (408, "too_slow")  # type: ignore[index]
        assert is_closed(slow)
        assert is_closed(silent)
        assert is_closed(idle)


def test_a_full_queue_refuses_before_the_body_is_read(gated: Callable[..., Gate]) -> None:
    gate = gated("--queue", "1")
    with ThreadPoolExecutor(3) as pool, connected(gate.server) as connection:
        waiting = held_up(gate, pool, 1)
        body = b'{"instances": ["late"]}'
        connection.sendall(POST + b"content-length: %d\r\n\r\n" % len(body) + body[:10])
        status, refused = answer(connection)
        assert (status, refused["error"]["code"]) == (429, "busy")  # type: ignore[index]
        gate.open()
        assert [reply.result().status for reply in waiting] == [200, 200]
        # The rest of the refused body is dropped, and the connection can be used again.
        connection.sendall(body[10:])
        connection.sendall(POST + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert answer(connection) == (200, {"predictions": ["late"]})
    assert gate.server.metric(f'infperf_requests_total{{route="{PREDICT}",status="429"}}') == 2


def test_bodies_that_do_not_end_take_no_place_in_the_queue(gated: Callable[..., Gate]) -> None:
    gate = gated("--queue", "1")
    gate.open()
    with connected(gate.server) as first, connected(gate.server) as second:
        for connection in (first, second):
            connection.sendall(POST + b"content-length: 20\r\n\r\n{")
        assert gate.server.post({"instances": ["a"]}).status == 200


def test_a_body_that_ends_while_the_queue_is_full_is_refused(gated: Callable[..., Gate]) -> None:
    gate = gated("--queue", "1")
    body = b'{"instances": ["late"]}'
    with ThreadPoolExecutor(3) as pool, connected(gate.server) as connection:
        connection.sendall(POST + b"content-length: %d\r\n\r\n" % len(body) + body[:10])
        waiting = held_up(gate, pool, 1)
        connection.sendall(body[10:])
        status, refused = answer(connection)
        assert (status, refused["error"]["code"]) == (429, "busy")  # type: ignore[index]
        gate.open()
        assert [reply.result().status for reply in waiting] == [200, 200]


def test_invalid_requests_give_their_place_back(gated: Callable[..., Gate]) -> None:
    gate = gated("--queue", "1")
    gate.open()
    assert [gate.server.post({"instances": []}).status for _ in range(3)] == [422] * 3
    assert gate.server.post({"instances": ["a"]}).status == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_it_is_not_ready_before_it_takes_no_more_connections(serve: Serve, workers: int) -> None:
    server = serve("--grace", "2", workers=workers)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: server.get("/readyz").status == 503)
    assert server.post({"instances": ["a"]}).status == 200
    wait_until(lambda: refuses_connections(server))
    assert server.process.wait(30) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_server_leaves_neither_processes_nor_files(
    echo_folder: Path, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = serve_command(echo_folder, tmp_path / "stderr", "--workers", str(workers))
    assert process.stdout
    assert process.stdout.readline()
    wait_until(lambda: len(psutil.Process(process.pid).children()) >= workers * (workers > 1))
    assert list(temporary.glob("infperf-metrics-*"))
    children = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not any(child.is_running() for child in children))
    wait_until(lambda: not list(temporary.iterdir()))


def test_connections_beyond_the_limit_are_refused() -> None:
    assert protocol.connection_limit(soft_files=1_000_000) == 4096
    assert protocol.connection_limit(soft_files=1024) == 896


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc")
def test_the_event_loop_accepts_several_connections_per_iteration(echo: Running) -> None:
    # libuv accepts one per listening socket, so a storm of connections would take one each.
    port = urlparse(echo.url).port
    parent = psutil.Process(echo.process.pid)
    for process in (parent, *parent.children(recursive=True)):
        files = Path(f"/proc/{process.pid}/fd")
        listening = {
            os.readlink(files / str(each.fd))
            for each in process.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port
        }
        if listening:
            break
    copies = [path for path in files.iterdir() if os.readlink(path) in listening]
    assert len(copies) >= 16
