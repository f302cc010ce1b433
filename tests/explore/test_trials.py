"""Trials with fake servers and generators that record their arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.explore import engine, running
from pytest_infperf.explore.design import Setting, Trial
from pytest_infperf.explore.engine import HostEngine
from pytest_infperf.explore.link import Link
from pytest_infperf.explore.replicas import started_together
from pytest_infperf.explore.running import Explorer
from pytest_infperf.explore.store import Outcome
from pytest_infperf.host.control_group import ControlGroup
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.traffic import GeneratorUsage, Reply, Traffic
from pytest_infperf.serving.server.settings import Deployment

SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("echo", task=Echo(), model="model", variants=[Fake()])
"""


@dataclass
class Recorded:
    groups: list[Setting] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    loads: list[tuple[Target, float, int, int | None]] = field(default_factory=list)
    """Target, duration, connections and number of requests; the first is the warm-up."""
    answered: int = 10


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()

    def control_group(setting: Setting) -> AbstractContextManager[ControlGroup]:
        recorded.groups.append(setting)
        return nullcontext(ControlGroup([f"group {len(recorded.groups)}"]))

    @contextmanager
    def started(start: Any, deployments: Sequence[Deployment], has_failed: Any) -> Iterator[Any]:
        recorded.deployments += deployments
        yield [
            SimpleNamespace(
                url=f"http://{deployment.host}:{port}", deployment=deployment,
                process=psutil.Process(), checked=nullcontext,
            )
            for port, deployment in enumerate(deployments, 1)
        ]  # fmt: skip

    def streams(target: Target, seconds: float, users: int, requests: int | None = None) -> Traffic:
        recorded.loads.append((target, seconds, users, requests))
        replies = [Reply(i, i, i + 0.5, 200) for i in range(recorded.answered)]
        return Traffic(replies, [GeneratorUsage(0.0, 1.0)])

    monkeypatch.setattr(engine, "control_group", control_group)
    monkeypatch.setattr(engine, "started_together", started)
    monkeypatch.setattr(running, "streams", streams)
    return recorded


@pytest.fixture
def explored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: Recorded
) -> Iterator[Callable[..., Outcome]]:
    """Return a function that runs a trial and returns its outcome."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "suite.py").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    run, variant_id = one_variant(Path(), None, Path(".cache"))

    def outcome(setting: Setting, network: str = "", **options: Any) -> Outcome:
        explorer = Explorer(run, HostEngine(run, variant_id, network), **options)
        return next(explorer.outcomes([Trial(0, setting)], set(), lambda text: None))

    yield outcome
    run.close()


def test_each_replica_has_a_group_and_a_share_of_the_requests(
    explored: Callable[..., Outcome], recorded: Recorded
) -> None:
    setting = {"replicas": 4, "workers": 2, "users": 3, "cpu": 0.2, "memory": 1e9}
    outcome = explored(setting, seconds=2.0)
    assert outcome.response_s == 0.5
    assert recorded.groups == [setting] * 4
    assert [d.groups for d in recorded.deployments] == [(f"group {i}",) for i in range(1, 5)]
    assert {d.limits.workers for d in recorded.deployments} == {2}
    (warm_up, _, _, requests), (target, seconds, users, no_number) = recorded.loads
    assert target.replica_urls == [f"http://127.0.0.1:{i}" for i in range(1, 5)]
    assert warm_up == target
    assert requests == 16  # each replica is warmed up, though there are fewer users
    assert (seconds, users, no_number) == (2.0, 3, None)


def test_all_requests_are_sent_or_the_trial_is_in_doubt(
    explored: Callable[..., Outcome], recorded: Recorded
) -> None:
    assert explored({"users": 2}, requests=10).doubt == ""
    assert recorded.loads[1][1:] == (3600.0, 2, 10)
    assert explored({"users": 2}, requests=11).doubt == "10 of 11 requests were sent in 3600 s"


@pytest.mark.parametrize("length", [1, 2, 9])
def test_samples_have_the_length_of_the_setting(
    explored: Callable[..., Outcome], recorded: Recorded, length: int
) -> None:
    """Echo repeats "sample 7", which then has a word more than repetitions."""
    explored({"length": length, "payload": 2}, seconds=1.0)
    target = recorded.loads[1][0]
    assert len(target.bodies) == 25
    for body in target.bodies:
        texts = json.loads(body)["instances"]
        assert [len(text.split()) for text in texts] == [length] * 2


@pytest.mark.parametrize(
    ("sample", "cut"),
    [
        (("a b c", "d e f"), ("a b", "d e")),
        (["a", "b", "c"], ["a", "b"]),
        ("a", "a"),
        (b"abc", b"abc"),
    ],
)
def test_kinds_of_samples_that_are_cut(sample: object, cut: object) -> None:
    assert running._cut(sample, 2) == cut


def test_a_delay_by_proxy_is_on_every_replica(
    explored: Callable[..., Outcome], recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        engine, "delayed", lambda urls, ms: nullcontext([f"{url} + {ms}" for url in urls])
    )
    explored({"replicas": 2, "delay-ms": 10}, seconds=1.0, network="proxy")
    urls = ["http://127.0.0.1:1 + 10", "http://127.0.0.1:2 + 10"]
    assert recorded.loads[1][0].replica_urls == urls


def test_netem_gets_the_setting_and_its_ends_are_used(
    explored: Callable[..., Outcome], recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def netem(*options: float) -> AbstractContextManager[Link]:
        asked.append(options)
        return nullcontext(Link("198.18.0.1", ["inside"]))

    asked: list[Any] = []
    monkeypatch.setattr(engine, "netem", netem)
    explored({"delay-ms": 10, "loss": 0.01}, seconds=1.0, network="netem")
    assert asked == [(10, 0.01)]
    assert recorded.deployments[0].host == "198.18.0.1"
    target = recorded.loads[1][0]
    assert target.replica_urls == ["http://198.18.0.1:1"]
    assert target.launcher == ["inside"]


@dataclass
class FakeServer:
    deployment: Any
    closed: bool = False

    def close(self) -> None:
        self.closed = True


def test_servers_are_started_together_and_closed() -> None:
    servers = []

    def start(deployment: Any, has_failed: Callable[[], bool]) -> Any:
        assert not has_failed()
        servers.append(FakeServer(deployment))
        return servers[-1]

    with started_together(start, ["a", "b"], lambda: False) as running_servers:  # type: ignore[list-item]
        assert [server.deployment for server in running_servers] == ["a", "b"]
        assert not any(server.closed for server in servers)
    assert all(server.closed for server in servers)


def test_a_server_that_fails_ends_the_start_of_others() -> None:
    servers = []

    def start(deployment: Any, has_failed: Callable[[], bool]) -> Any:
        if deployment == "broken":
            raise WorkerError("broken")
        if deployment == "slow":
            while not has_failed():
                pass
            raise WorkerError("given up")
        servers.append(FakeServer(deployment))
        return servers[-1]

    deployments: Any = ["slow", "good", "broken"]
    with (
        pytest.raises(WorkerError, match="broken"),
        started_together(start, deployments, lambda: False),
    ):
        pass
    assert [server.closed for server in servers] == [True]


def test_a_task_without_lengths_is_refused(explored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, variant_id = one_variant(Path(), None, Path(".cache"))
    monkeypatch.setattr(type(run.suite.task), "sized", without_lengths)
    with pytest.raises(UserError, match="cannot make samples"):
        Explorer(run, HostEngine(run, variant_id)).check([{"length": 4}])
    Explorer(run, HostEngine(run, variant_id)).check([{"users": 4}])
    run.close()


def without_lengths(task: Any, inputs: Any, number: int, length: int) -> Any:
    raise UserError("Echo cannot make samples of a given length for a sweep")
