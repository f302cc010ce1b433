"""A server under load: queues, time limits, batches, dying processes, and shutdown."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import psutil

from pytest_infperf.host.cpu import usable_cores
from tests.serving.server.echo_server import PREDICT, Gate, Reply, Running, Serve

Gated = Callable[..., Gate]


def side_by_side(server: Running, count: int, data: object = None) -> list[Reply]:
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(server.post, data or {"instances": [f"{i}"]}) for i in range(count)]
        return [future.result() for future in futures]


def held_up(
    gate: Gate, pool: ThreadPoolExecutor, waiting: int, samples: int = 1
) -> list[Future[Reply]]:
    """Requests without an answer: one in the model, and as many in the queue as it takes.

    One more is sent, which the full queue refuses: so all of them have arrived.
    """
    ask = partial(pool.submit, gate.server.post)
    first = ask({"instances": ["first"]})
    wait_until(lambda: gate.queries == [["first"]])
    others = [ask({"instances": [f"other-{i}"] * samples}) for i in range(waiting + 1)]
    (refused,), queued = wait(others, 30, FIRST_COMPLETED)
    assert refused.result().status == 429
    return [first, *queued]


def wait_until(condition: Callable[[], bool]) -> None:
    until = monotonic() + 30
    while not condition():
        assert monotonic() < until, "it does not happen"
        sleep(0.01)


def refuses_connections(server: Running) -> bool:
    try:
        server.get("/healthz")
    except OSError:
        return True
    return False


def test_a_full_queue_answers_429_at_once(gated: Gated) -> None:
    """While the first request is in the model and the second waits; none of them ends by itself."""
    gate = gated("--queue", "1")
    with ThreadPoolExecutor(8) as pool:
        waiting = held_up(gate, pool, 1)
        for reply in side_by_side(gate.server, 6):
            assert (reply.status, reply.headers["retry-after"]) == (429, "1")
            assert reply.body["error"]["code"] == "busy"
        gate.open()
        assert [reply.result().status for reply in waiting] == [200, 200]
    assert len(gate.queries) == 2
    assert gate.server.post({"instances": ["after"]}).status == 200


def test_a_late_request_is_answered_with_504_and_not_computed(gated: Gated) -> None:
    gate = gated("--timeout", "1", "--queue", "2")
    with ThreadPoolExecutor(4) as pool:
        for reply in held_up(gate, pool, 2):
            assert reply.result().status == 504
            assert reply.result().body["error"]["message"] == "no response within 1 s"
    gate.open()
    wait_until(lambda: gate.server.post({"instances": ["after"]}).status == 200)
    assert {text for texts in gate.queries for text in texts} == {"first", "after"}


def test_requests_are_put_together(gated: Gated) -> None:
    """While the first is computed the others wait, and then share queries of five samples."""
    gate = gated("--batch", "5", "--queue", "7", "--batch-window-ms", "0")
    with ThreadPoolExecutor(9) as pool:
        replies = held_up(gate, pool, 7)
        gate.open()
        texts = [reply.result().body["predictions"][0] for reply in replies]
    first, *others = gate.queries
    assert first == ["first"]
    assert [len(query) for query in others] == [5, 2]
    assert sorted(texts) == sorted([*first, *others[0], *others[1]])
    # Each request counts the size of its query.
    assert gate.server.metric("infperf_batch_samples_sum") == 1 + 5 * 5 + 2 * 2


def test_a_request_that_does_not_fit_into_a_batch_is_in_the_next(gated: Gated) -> None:
    gate = gated("--batch", "5", "--queue", "3", "--batch-window-ms", "0")
    with ThreadPoolExecutor(5) as pool:
        replies = held_up(gate, pool, 3, samples=2)
        gate.open()
        assert [len(reply.result().body["predictions"]) for reply in replies] == [1, 2, 2, 2]
    assert [len(query) for query in gate.queries] == [1, 4, 2]


def test_a_batch_waits_for_requests_until_it_is_full(gated: Gated) -> None:
    gate = gated("--batch", "2", "--batch-window-ms", "20000")
    gate.open()
    begun = monotonic()
    assert {reply.status for reply in side_by_side(gate.server, 2)} == {200}
    assert [sorted(query) for query in gate.queries] == [["0", "1"]]
    assert monotonic() - begun < 15


def test_a_request_larger_than_a_batch_is_a_query_of_its_own(serve: Serve) -> None:
    server = serve("--batch", "2", "--batch-window-ms", "20")
    texts = [str(i) for i in range(7)]
    assert server.post({"instances": texts}).body["predictions"] == texts


def test_it_finishes_what_it_took_and_then_ends(gated: Gated) -> None:
    gate = gated("--queue", "3")
    with ThreadPoolExecutor(5) as pool:
        taken = held_up(gate, pool, 3)
        gate.server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(gate.server))
        sleep(1.2)
        assert not any(reply.done() for reply in taken)
        gate.open()
        assert [reply.result().status for reply in taken] == [200] * 4
    assert gate.server.process.wait(30) == 0


def worker_processes(server: Running) -> set[int]:
    """Return the live worker processes; a killed process has no command line."""
    found = set()
    for child in psutil.Process(server.process.pid).children():
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "resource_tracker" not in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def test_a_process_that_is_killed_is_restarted(serve: Serve) -> None:
    server = serve(workers=2)
    assert side_by_side(server, 10)[0].status == 200
    before = worker_processes(server)
    assert len(before) == 2
    killed = min(before)
    psutil.Process(killed).kill()
    wait_until(lambda: killed not in (now := worker_processes(server)) and len(now) == 2)
    wait_until(lambda: server.metric("infperf_ready_workers") == 2)
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
    assert len(request["request_id"]) == 16


def test_quiet_writes_no_line(serve: Serve) -> None:
    server = serve("--quiet")
    assert server.post({"instances": ["a"]}).status == 200
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
    """Return the stderr of the server after it has printed its URL."""
    wait_until(lambda: running.url in running.stderr.read_text())
    return running.stderr.read_text()
