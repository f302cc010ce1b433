"""The metrics of a server while its processes start and end, and what reads them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, repeat
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from pytest_infperf.errors import WorkerError
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.serving.server.process import ServerProcess
from pytest_infperf.serving.server.settings import Deployment
from pytest_infperf.serving.server.telemetry import Telemetry


def write_count(path: Path, value: float) -> None:
    """Write a file of counts as prometheus_client does."""
    name = "infperf_batch_samples_sum"
    counts = MmapedDict(str(path))
    counts.write_value(mmap_key("infperf_batch_samples", name, [], [], "Samples"), value, 0.0)
    counts.close()


def test_the_empty_file_of_a_killed_process_has_no_counts(tmp_path: Path) -> None:
    for pid, samples in ((1, 2.0), (2, 3.0)):
        write_count(tmp_path / f"histogram_{pid}.db", samples)
    for kind in ("counter", "histogram", "gauge_livesum"):
        (tmp_path / f"{kind}_3.db").touch()
    assert b"\ninfperf_batch_samples_sum 5.0\n" in Telemetry(tmp_path).exposition()


def reply(status: str, body: str) -> bytes:
    return f"HTTP/1.0 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


ERROR = '{"error": {"code": "internal", "message": "infperf_ready_workers 2"}}'
NOT_METRICS = [
    reply("500 Internal Server Error", ERROR),
    reply("200 OK", ERROR),
    b"",  # the process ended
    b"what is this\r\n\r\n",
    reply("200 OK", "infperf_ready_workers 1.0\n"),
]
REASONS = [
    "/metrics has no metrics (HTTP Error 500: Internal Server Error)",
    "/metrics does not contain infperf_ready_workers",
    "/metrics has no metrics (Remote end closed connection without response)",
    "/metrics has no metrics (what is this",
    "1 of 2 processes are ready",
]


@contextmanager
def server_that_replies(
    folder: Path, replies: Sequence[bytes], timeout_s: float
) -> Iterator[ServerProcess]:
    """Start a server whose /metrics gives these replies, the last one from then on."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        for body in chain(replies, repeat(replies[-1])):
            try:
                connection, _ = listener.accept()
            except OSError:  # the listener is closed
                return
            with connection:
                connection.recv(10_000)
                connection.sendall(body)

    thread = Thread(target=answer)
    thread.start()
    program = folder / "python"
    program.write_text(f"#!/bin/sh\necho {listener.getsockname()[1]}\nexec sleep 60\n")
    program.chmod(0o755)
    deployment = Deployment({}, "fake", {}, "", "", None, {"workers": 2})
    try:
        with closing(ServerProcess(deployment, Checkout(folder, (), program), timeout_s)) as server:
            yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def test_what_is_not_metrics_is_read_again(tmp_path: Path) -> None:
    ready = reply("200 OK", "# TYPE\ninfperf_ready_workers 2.0\n")
    with server_that_replies(tmp_path, [*NOT_METRICS, ready], 60) as server:
        assert server.alive


@pytest.mark.parametrize(("answer", "reason"), list(zip(NOT_METRICS, REASONS, strict=True)))
def test_a_server_that_is_not_ready_in_time_says_why(
    tmp_path: Path, answer: bytes, reason: str
) -> None:
    with pytest.raises(WorkerError) as raised, server_that_replies(tmp_path, [answer], 0.2):
        pass
    message = str(raised.value)
    assert message.startswith("the server of fake was not ready in time (--infperf-timeout): ")
    assert reason in message
