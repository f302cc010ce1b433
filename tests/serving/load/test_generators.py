"""Requests of generators and their records, against a server with known delays."""

from __future__ import annotations

import asyncio
import json
import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from time import monotonic

import pytest
from aiohttp import web

from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host.processes import OutputTail
from pytest_infperf.serving.load import generators as generators_module, traffic
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.generators import Target, closed_loop, open_loop, streams
from pytest_infperf.serving.load.open_loop import arrivals
from pytest_infperf.serving.load.traffic import GeneratorUsage, ReplyFile
from pytest_infperf.suite.loads import ClosedLoop, Offline, OpenLoop, Server, SingleStream, Soak


@dataclass
class SlowServer:
    """Answers one request at a time, each after `seconds`, and refuses every `refuses`-th."""

    seconds: float = 0.02
    refuses: int = 0
    stalls_at: int = 0
    """Number of the request that takes a second."""
    url: str = ""
    bodies: list[str] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    """Requests without an answer at the same time."""

    async def answer(self, request: web.Request) -> web.Response:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.bodies.append(await request.text())
        number = len(self.bodies)
        async with self.turn:
            await asyncio.sleep(1.0 if number == self.stalls_at else self.seconds)
        self.open -= 1
        status = 429 if self.refuses and number % self.refuses == 0 else 200
        return web.json_response({}, status=status)

    def target(self) -> Target:
        bodies = [json.dumps({"instances": [i]}).encode() for i in range(5)]
        return Target(self.url, "/predict", bodies, 1, 10.0, None)


@pytest.fixture
def server() -> Iterator[SlowServer]:
    slow = SlowServer()
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        slow.turn = asyncio.Lock()  # type: ignore[attr-defined]
        app = web.Application()
        app.router.add_post("/predict", slow.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server
        slow.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        ready.set()
        return runner

    def run() -> None:
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield slow
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_arrivals_are_those_of_a_poisson_process_and_the_same_for_a_seed() -> None:
    times = list(arrivals(50.0, 200.0, seed=3))
    gaps = [b - a for a, b in zip([0.0, *times], times, strict=False)]
    assert len(times) == pytest.approx(10_000, rel=0.05)
    assert fmean(gaps) == pytest.approx(1 / 50, rel=0.05)
    # Exponential gaps: their standard deviation equals their mean.
    assert fmean(gap**2 for gap in gaps) == pytest.approx(2 / 50**2, rel=0.1)
    assert times == list(arrivals(50.0, 200.0, seed=3))
    assert times != list(arrivals(50.0, 200.0, seed=4))


def test_an_open_loop_sends_at_its_times_without_waiting_for_answers(server: SlowServer) -> None:
    traffic = open_loop(server.target(), rate=20.0, seconds=2.0, seed=1)
    planned = list(arrivals(20.0, 2.0, seed=1))
    assert len(traffic.replies) == len(planned)
    begun = traffic.replies[0].intended_s - planned[0]
    for reply, at in zip(traffic.replies, planned, strict=True):
        assert reply.intended_s - begun == pytest.approx(at, abs=1e-6)
        assert reply.lag_s >= 0
        assert reply.latency_s >= reply.service_s >= 0.019
    assert all(reply.ok for reply in traffic.replies)


def test_a_stall_counts_for_all_requests_during_it(server: SlowServer) -> None:
    """A closed loop omits the requests that would have arrived meanwhile."""
    server.stalls_at = 10
    late = [r for r in open_loop(server.target(), 20.0, 2.0, 1).replies if r.latency_s > 0.3]
    assert len(late) > 5
    server.bodies.clear()
    omitted = [r for r in streams(server.target(), 2.0).replies if r.latency_s > 0.3]
    assert len(omitted) == 1


@pytest.mark.parametrize("connections", [1, 2])
def test_streams_send_again_when_they_have_their_answer(
    server: SlowServer, connections: int
) -> None:
    traffic = streams(server.target(), seconds=60.0, connections=connections, requests=9)
    assert len(traffic.replies) == 9
    assert sorted(server.bodies) == sorted(json.dumps({"instances": [i % 5]}) for i in range(9))
    assert server.most_open == connections
    sent_s = [reply.sent_s for reply in traffic.replies]
    answered_s = sorted(reply.done_s for reply in traffic.replies)
    for answer_s, next_s in zip(answered_s, sent_s[connections:], strict=False):
        assert answer_s <= next_s


def test_refusals_and_closed_ports_count_as_errors(server: SlowServer) -> None:
    server.refuses = 3
    refused = streams(server.target(), 60.0, requests=9).replies
    assert [reply.status for reply in refused].count(429) == 3
    closed_port = Target("http://127.0.0.1:9", "/predict", [b"{}"], 1, 2.0, None)
    silent = streams(closed_port, 60.0, requests=2).replies
    assert [(reply.status, reply.error) for reply in silent] == [(0, "ClientConnectorError")] * 2


def test_a_request_over_its_time_limit_is_an_error(server: SlowServer) -> None:
    server.seconds = 2.5
    target = Target(server.url, "/predict", [b"{}"], 1, 0.3, None)
    [reply] = streams(target, 60.0, requests=1).replies
    assert (reply.status, reply.error) == (0, "TimeoutError")
    assert 0.3 <= reply.latency_s < 2


def test_a_user_who_gets_no_answer_in_time_names_the_time_out(server: SlowServer) -> None:
    server.seconds = 2.5
    target = Target(server.url, "/predict", [b"{}"], 1, 0.3, None)
    replies = closed_loop(target, ClosedLoop(1), seconds=1).replies
    assert {(reply.status, reply.error) for reply in replies} == {(0, "TimeoutError")}


@pytest.mark.parametrize("generators", [1, 2])
def test_locusts_users_each_wait_for_their_answer(server: SlowServer, generators: int) -> None:
    server.seconds = 0.01
    begun = monotonic()
    load = ClosedLoop(4, generators=generators)
    traffic = closed_loop(server.target(), load, seconds=2.5)  # Locust takes whole seconds
    assert begun <= traffic.replies[0].sent_s <= traffic.replies[-1].done_s <= monotonic()
    assert len(traffic.generators) == generators
    assert len(traffic.replies) == pytest.approx(len(server.bodies), abs=4)
    assert server.most_open == 4
    # Four requests are in flight, and one is answered every 10 ms.
    steady = [reply.latency_s for reply in traffic.replies[20:-8]]
    assert median(steady) == pytest.approx(0.04, rel=0.5)
    assert all(reply.ok for reply in traffic.replies)


def test_concurrent_masters_of_locust_keep_their_workers(server: SlowServer) -> None:
    load = ClosedLoop(2, generators=2)
    with ThreadPoolExecutor() as threads:
        runs = [threads.submit(closed_loop, server.target(), load, 1.0) for _ in range(2)]
    assert [len(run.result().generators) for run in runs] == [2, 2]
    assert all(run.result().replies for run in runs)


def test_the_text_of_the_first_answer_that_is_an_error_is_kept(server: SlowServer) -> None:
    server.refuses = 3
    assert streams(server.target(), 60.0, requests=2).refusal == ""
    assert closed_loop(server.target(), ClosedLoop(1, requests=4), 60.0).refusal == "{}"


@pytest.mark.parametrize("load", [ClosedLoop(3, requests=10), OpenLoop(50.0, requests=10)])
def test_a_load_ends_after_its_number_of_requests(
    server: SlowServer, load: ClosedLoop | OpenLoop
) -> None:
    driver = LoadDriver(server.target(), None, 0, lambda text: None)
    run = driver.run(load, load.lasts_s(full=False))
    assert [reply.status for reply in run.replies] == [200] * 10
    assert len(server.bodies) == 10
    assert run.steady_range == (0, 10)


def test_a_number_of_requests_that_takes_too_long_is_an_error(server: SlowServer) -> None:
    driver = LoadDriver(server.target(), None, 0, lambda text: None)
    load = OpenLoop(5.0, requests=1000, full_seconds=1)
    with pytest.raises(WorkerError, match=r"of its 1000 requests in 1 s: increase full_seconds"):
        driver.run(load, load.lasts_s(full=False))


def test_names_of_loads() -> None:
    assert [load.name for load in (ClosedLoop(4), OpenLoop(2.5), SingleStream(), Server())] == [
        "users=4", "rate=2.5", "SingleStream", "Server",
    ]  # fmt: skip
    study = SingleStream(requests=60, repeats=12, payload="listings")
    counted = [ClosedLoop(4, requests=9), OpenLoop(2.5, requests=9, payload="listings")]
    some = [ClosedLoop(4, payload="listings"), study, Offline(requests=9), *counted]
    assert [load.name for load in some] == [
        "users=4:listings", "SingleStream-60x12:listings", "Offline-9", "users=4-9",
        "rate=2.5-9:listings",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("load", "word"),
    [
        (lambda: ClosedLoop(0), r"ClosedLoop\(users=0\): must be a whole number of at least 1"),
        (lambda: ClosedLoop(2.5), r"users=2\.5"),  # type: ignore[arg-type]
        (lambda: ClosedLoop("4"), r"users='4'"),  # type: ignore[arg-type]
        (lambda: ClosedLoop(True), r"users=True"),
        (lambda: ClosedLoop(1, requests=0), r"requests=0"),
        (lambda: ClosedLoop(1, requests=9.5), r"requests=9\.5"),  # type: ignore[arg-type]
        (lambda: ClosedLoop(1, spawn_rate=0), r"spawn_rate=0\): must be a number above 0"),
        (lambda: ClosedLoop(1, seconds=0), r"seconds=0\): must be a number above 0"),
        (lambda: ClosedLoop(1, seconds=math.nan), r"seconds=nan"),
        (lambda: ClosedLoop(1, full_seconds=math.inf), r"full_seconds=inf"),
        (lambda: ClosedLoop(2, requests=9, generators=2), "requires generators=1"),
        (lambda: OpenLoop(0.0), r"OpenLoop\(rate=0\.0\): must be a number above 0"),
        (lambda: OpenLoop(math.nan), r"rate=nan"),
        (lambda: OpenLoop(math.inf), r"rate=inf"),
        (lambda: OpenLoop(1.0, requests=0), r"requests=0"),
        (lambda: SingleStream(samples=0), r"SingleStream\(samples=0\)"),
        (lambda: SingleStream(requests=0), r"requests=0"),
        (lambda: SingleStream(requests=9, repeats=0), r"repeats=0"),
        (lambda: Offline(connections=0), r"connections=0"),
        (lambda: Server(limit_s=math.nan), r"limit_s=nan"),
        (lambda: Server(percentile=99), r"percentile=99\): must be a number above 0 and below 1"),
        (lambda: Server(precision=0), r"precision=0"),
        (lambda: Soak(fraction=math.nan), r"fraction=nan"),
        (lambda: SingleStream(repeats=12), "repeats=12 requires a number of requests"),
    ],
)
def test_loads_with_invalid_fields(load: object, word: str) -> None:
    with pytest.raises(UserError, match=word):
        load()  # type: ignore[operator]


def test_a_process_without_a_record_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "replies.12").touch()
    (tmp_path / ".replies.13.0123abcd.tmp").touch()
    missed = "1 of 2 processes of the load generator wrote no record of their requests"
    with closing(OutputTail()) as stderr:
        stderr.file.write(b"no such file")
        assert generators_module._reply_files(tmp_path, 1, 0.0, stderr) == [tmp_path / "replies.12"]
        with pytest.raises(WorkerError, match=f"{missed}\nIts last output:\nno such file"):
            generators_module._reply_files(tmp_path, 2, 0.0, stderr)


def test_concurrent_processes_do_not_share_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = ReplyFile(tmp_path / "replies.12"), ReplyFile(tmp_path / "replies.13")
    replace = os.replace

    def meanwhile(path: Path, target: Path) -> None:
        monkeypatch.undo()
        other.write(GeneratorUsage(2.0, 4.0))
        replace(path, target)

    monkeypatch.setattr(os, "replace", meanwhile)
    one.write(GeneratorUsage(1.0, 4.0))
    seen = [traffic.read([file.path], 1).generators for file in (one, other)]
    assert seen == [[GeneratorUsage(1.0, 4.0)], [GeneratorUsage(2.0, 4.0)]]


def test_requests_are_spread_over_replicas_in_turn(server: SlowServer) -> None:
    """The second of three replicas has a port that nobody listens on."""
    urls = [server.url, "http://127.0.0.1:9", server.url]
    traffic = streams(replace(server.target(), replica_urls=urls), 30.0, requests=12)
    assert [reply.ok for reply in traffic.replies] == [True, False, True] * 4
    assert len(server.bodies) == 8


def test_a_generator_is_run_by_its_launcher(server: SlowServer) -> None:
    target = replace(server.target(), launcher=["env", "INFPERF_LOAD_PLAN={}"])
    with pytest.raises(WorkerError, match="missing"):
        streams(target, 1.0)
