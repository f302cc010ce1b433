"""A server under load: queues, time limits, batches, dying processes, and shutdown."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from pytest_infperf.worker.variant_worker import usable_cores
from tests.serving.server.echo_server import PREDICT, Reply, Running, Serve


def side_by_side(server: Running, count: int, data: object = None) -> list[Reply]:
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(server.post, data or {"instances": [f"{i}"]}) for i in range(count)]
        return [future.result() for future in futures]


def test_a_full_queue_answers_429_at_once(serve: Serve) -> None:
    server = serve("--variant", "slow", "--queue", "1")
    replies = side_by_side(server, 8)
    statuses = sorted(reply.status for reply in replies)
    assert statuses.count(429) >= 5
    assert statuses.count(200) >= 2
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.body["error"]["code"] == "busy"
    assert server.post({"instances": ["after"]}).status == 200


def test_a_request_over_its_time_limit_answers_504_and_is_not_computed(serve: Serve) -> None:
    server = serve("--variant", "slow", "--timeout", "0.5")
    replies = side_by_side(server, 6)
    statuses = sorted(reply.status for reply in replies)
    assert set(statuses) == {200, 504}
    late = next(reply for reply in replies if reply.status == 504)
    assert late.body["error"]["message"] == "no answer within 0.5 s"
    sleep(0.3)
    assert server.metric("infperf_model_seconds_count") == statuses.count(200)


def test_waiting_requests_share_a_query(serve: Serve) -> None:
    """The others wait while the first is computed, and then share one query."""
    server = serve("--variant", "slow", "--batch", "8", "--batch-window-ms", "100")
    replies = side_by_side(server, 8)
    assert [r.body["predictions"] for r in replies] == [[f"{i}"] for i in range(8)]
    assert server.metric("infperf_batch_samples_sum") > 8  # each request counts its query's size


def test_a_request_larger_than_a_batch_is_a_query_of_its_own(serve: Serve) -> None:
    server = serve("--batch", "2", "--batch-window-ms", "20")
    texts = [str(i) for i in range(7)]
    assert server.post({"instances": texts}).body["predictions"] == texts


def test_it_finishes_open_requests_before_it_ends(serve: Serve) -> None:
    server = serve("--variant", "slow")
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(server.post, {"instances": [f"{i}"]}) for i in range(4)]
        sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert [future.result().status for future in futures] == [200] * 4
    assert server.process.wait(30) == 0
    with pytest.raises(OSError, match="refused"):
        server.get("/healthz")


def test_a_process_that_is_killed_is_restarted(serve: Serve) -> None:
    server = serve(workers=2)
    assert side_by_side(server, 10)[0].status == 200
    workers = [
        child
        for child in psutil.Process(server.process.pid).children()
        if "resource_tracker" not in " ".join(child.cmdline())
    ]
    assert len(workers) == 2
    workers[0].kill()
    until = monotonic() + 60
    while server.metric("infperf_ready_workers") != 1 and monotonic() < until:
        sleep(0.02)
    while server.metric("infperf_ready_workers") != 2 and monotonic() < until:
        sleep(0.05)
    assert server.metric("infperf_ready_workers") == 2
    assert {reply.status for reply in side_by_side(server, 10)} == {200}


def test_metrics_sum_all_processes(serve: Serve) -> None:
    server = serve(workers=2)
    side_by_side(server, 20)
    route = f'infperf_requests_total{{route="{PREDICT}",status="200"}}'
    until = monotonic() + 5  # a request is counted right after its answer is sent
    while server.metric(route) < 20 and monotonic() < until:
        sleep(0.02)
    assert server.metric(route) == 20


def test_a_line_in_the_log_for_each_request(serve: Serve, echo_folder: Path) -> None:
    server = serve()
    server.post({"instances": ["a", "b"]})
    server.process.terminate()
    server.process.wait(30)
    lines = [
        json.loads(line) for line in server.stderr.read_text().splitlines() if line.startswith("{")
    ]
    [request] = [line for line in lines if line.get("path") == PREDICT]
    assert (request["status"], request["samples"], request["batch"]) == (200, 2, 2)
    assert request["seconds"] >= request["model_s"] >= 0
    assert len(request["id"]) == 16


def test_quiet_writes_no_line(serve: Serve) -> None:
    server = serve("--quiet")
    server.post({"instances": ["a"]})
    server.process.terminate()
    server.process.wait(30)
    assert PREDICT not in server.stderr.read_text()


def test_it_listens_to_this_host_only_by_default(echo: Running) -> None:
    addresses = {
        connection.laddr.ip
        for connection in psutil.Process(echo.process.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_a_process_has_the_threads_of_the_variant_by_default(serve: Serve) -> None:
    assert "echo[threaded]: 2 x 3 threads on" in server_output(
        serve("--variant=threaded", workers=2)
    )
    assert "echo[threaded]: 1 x 5 threads on" in server_output(
        serve("--variant=threaded", "--threads=5")
    )
    cores = len(usable_cores())
    assert f"echo[fake]: {cores} x 1 threads on" in server_output(serve(workers=cores))


def server_output(running: Running) -> str:
    return running.stderr.read_text()
