"""`--engine docker` with a fake `docker` on PATH; no engine is needed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_infperf.cli import explore as command, main
from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.explore import containers
from pytest_infperf.explore.containers import ContainerEngine, compose_command
from pytest_infperf.explore.design import Setting
from pytest_infperf.host.termination import TerminationSignals

SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("echo", task=Echo(), model="model", variants=[Fake()])
"""
DOCKER = """#!{python}
import json, os, sys
from pathlib import Path

here = Path({here!r})
words = sys.argv[1:]
names = ("SUITE", "VARIANT", "WORKERS", "THREADS", "REPLICAS", "CPUS", "MEMORY", "PORT")
with open(here / "calls.jsonl", "a") as file:
    file.write(json.dumps([words, {{n: os.environ[n] for n in names if n in os.environ}}]) + "\\n")
answers = json.loads((here / "answers.json").read_text())
if failure := answers.get(" ".join(words[:2])) or answers.get(words[0]):
    sys.exit(failure)
if words[0] == "compose" and "up" in words and words[-1] in answers.get("broken", []):
    sys.exit("Pulling api\\nno such image")
if words[0] == "events":
    print("id\\n" * answers.get("kills", 0), flush=True)
if words[0] == "logs":
    print("the last line")
if words[0] == "ps":
    service = next((w.rpartition("=")[2] for w in words if "compose.service=" in w), None)
    ids = [c["Id"] for c in answers["containers"]]
    found = [id for id in ids if id.startswith(service)] if service else answers.get("left", [])
    print("\\n".join(found))
if words[0] == "inspect":
    print(json.dumps([c for c in answers["containers"] if c["Id"] in words]))
"""


def container(name: str, **changes: Any) -> dict[str, Any]:
    """Return the entries of `docker inspect` that are read, for a healthy container."""
    state = {"Status": "running", "Running": True, "OOMKilled": False, "ExitCode": 0,
             "Pid": os.getpid(), "Health": {"Status": "healthy"},
             **changes.pop("state", {})}  # fmt: skip
    limits = {"NanoCpus": 0, "Memory": 0, **changes.pop("limits", {})}
    return {"Id": name, "RestartCount": 0, "State": state, "HostConfig": limits, **changes}


class FakeDocker:
    """Answers of a fake docker, and the commands that it received."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answer([container("api-1"), container("front-1")])

    def answer(self, found: list[dict[str, Any]], **others: Any) -> None:
        (self.folder / "answers.json").write_text(json.dumps({"containers": found, **others}))

    @property
    def composed(self) -> list[tuple[list[str], dict[str, str]]]:
        """Commands of Compose without those before `up` and `down`, and their environments."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        calls = [json.loads(line) for line in lines]
        return [(words[5:], variables) for words, variables in calls if "--file" in words]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    (folder := tmp_path / "bin").mkdir()
    (executable := folder / "docker").write_text(
        DOCKER.format(python=sys.executable, here=str(folder))
    )
    executable.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(containers, "_POLL_S", 0.01)
    monkeypatch.setattr(containers, "_EVENT_WITHIN_S", 1.0)
    return FakeDocker(folder)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "perf" / "model").mkdir(parents=True)
    (tmp_path / "perf" / "model" / "config.json").write_text("{}")
    (tmp_path / "perf" / "suite.py").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def engine(folder: Path, docker: FakeDocker) -> Iterator[ContainerEngine]:
    run, variant_id = one_variant(Path("perf"), None, Path(".cache"))
    yield ContainerEngine(
        run, variant_id, Path("perf"), folder / "compose.yaml", ["docker", "compose"]
    )
    run.close()


def test_a_setting_is_what_compose_gets(engine: ContainerEngine, docker: FakeDocker) -> None:
    limits = {"NanoCpus": 200_000_000, "Memory": 1_000_000_000}
    docker.answer([*(container(f"api-{i}", limits=limits) for i in (1, 2)), container("front-1")])
    setting: Setting = {"replicas": 2, "workers": 3, "cpu": 0.2, "memory": 1e9, "users": 4}
    with engine.servers(setting) as servers:
        assert servers.replicas == 2
        assert servers.deployment.limits.workers == 3
        (url,) = servers.urls
        assert [process.pid for process in servers.processes()] == [os.getpid()] * 2
        with servers.checked():
            pass
        assert len(docker.composed) == 2
    (api, variables), (front, same), (down, _) = docker.composed
    assert api == ["up", "--detach", "--no-build", "--no-deps", "api"]
    assert front == ["up", "--detach", "--no-build", "--no-deps", "front"]
    assert down == ["down", "--timeout", "5"]
    assert url == f"http://127.0.0.1:{variables['PORT']}"
    assert variables == same
    assert variables.items() >= {
        "SUITE": "perf", "VARIANT": "fake", "WORKERS": "3", "REPLICAS": "2", "CPUS": "0.2",
        "MEMORY": "1000000000b", "THREADS": str(servers.deployment.threads),
    }.items()  # fmt: skip


def test_without_limits_compose_gets_zeros(engine: ContainerEngine, docker: FakeDocker) -> None:
    with engine.servers({}):
        pass
    variables = docker.composed[0][1]
    assert (variables["CPUS"], variables["MEMORY"]) == ("0", "0b")
    assert (variables["REPLICAS"], variables["WORKERS"]) == ("1", "1")


def test_the_process_that_init_started_is_watched() -> None:
    with psutil.Popen(
        [sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '60'])"]
    ) as init:
        while not (children := init.children()):
            pass
        try:
            watched = container("api-1", state={"Pid": init.pid}, limits={"Init": True})
            assert containers._first_process(watched) == children[0]
            watched["HostConfig"]["Init"] = False
            assert containers._first_process(watched).pid == init.pid
        finally:
            children[0].kill()


def test_a_container_that_is_not_on_this_host_is_an_error() -> None:
    with pytest.raises(UserError, match="not in a virtual machine"):
        containers._first_process(container("api-1", state={"Pid": 2**22 + 1}))


@pytest.mark.parametrize(
    ("found", "others", "message"),
    [
        ([container("api-1")], {"kills": 2}, "memory ran out: 2 processes were killed"),
        (
            [container("api-1", state={"OOMKilled": True, "Status": "exited", "Running": False})],
            {},
            "memory ran out: 1 processes",
        ),
        ([container("api-1", RestartCount=1)], {}, "1 containers ended, with exit code 0"),
        (
            [container("api-1", state={"Status": "exited", "Running": False, "ExitCode": 3})],
            {},
            "1 containers ended, with exit code 3",
        ),
        ([container("api-1"), container("front-1")], {"broken": ["front"]}, "up: no such image"),
    ],
)
def test_servers_that_do_not_start(
    engine: ContainerEngine,
    docker: FakeDocker,
    found: list[dict[str, Any]],
    others: dict[str, Any],
    message: str,
) -> None:
    docker.answer(found, **others)
    with pytest.raises(WorkerError, match=message), engine.servers({}):
        pytest.fail("the block was entered")
    assert docker.composed[-1][0] == ["down", "--timeout", "5"]


def test_servers_that_stay_unhealthy(
    engine: ContainerEngine, docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "_READY_WITHIN_S", 0.0)
    ill = container("api-1", state={"Health": {"Status": "starting"}})
    docker.answer([ill, container("front-1")])
    with pytest.raises(WorkerError, match="starting, healthy\\nthe last line"), engine.servers({}):
        pass


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([container("api-1", RestartCount=1)], "1 containers ended"),
        ([container("api-2")], "1 containers ended$"),
        (
            [container("api-1", state={"Status": "exited", "Running": False, "ExitCode": 137})],
            "1 containers ended, with exit code 137",
        ),
    ],
)
def test_a_server_that_ends_under_load(
    engine: ContainerEngine, docker: FakeDocker, found: list[dict[str, Any]], message: str
) -> None:
    with engine.servers({}) as servers, pytest.raises(WorkerError) as caught, servers.checked():
        docker.answer(found)
    assert str(caught.value).splitlines()[0].startswith(message.removesuffix("$"))


@pytest.mark.parametrize("limits", [{}, {"NanoCpus": 200_000_000, "Memory": 5}])
def test_limits_that_the_compose_file_does_not_set(
    engine: ContainerEngine, docker: FakeDocker, limits: dict[str, int]
) -> None:
    docker.answer([container("api-1", limits=limits), container("front-1")])
    with pytest.raises(UserError, match=r"not 0\.2 and 1000000000 b"):
        engine.servers({"cpu": 0.2, "memory": 1e9}).__enter__()


def test_the_variant_is_built_first_and_volumes_are_removed(
    engine: ContainerEngine, docker: FakeDocker
) -> None:
    with engine.prepared():
        words = [words for words, _ in docker.composed]
        assert [word[0] for word in words] == ["up", "up", "down"]
        assert "--volumes" not in words[-1]
    assert docker.composed[-1][0] == ["down", "--volumes", "--timeout", "5"]


def test_an_interruption_leaves_nothing(engine: ContainerEngine, docker: FakeDocker) -> None:
    with pytest.raises(KeyboardInterrupt), engine.prepared(), engine.servers({}):
        raise KeyboardInterrupt
    assert docker.composed[-2][0] == ["down", "--timeout", "5"]
    assert docker.composed[-1][0] == ["down", "--volumes", "--timeout", "5"]


def test_what_cannot_be_removed_is_named(
    engine: ContainerEngine, docker: FakeDocker, capsys: pytest.CaptureFixture[str]
) -> None:
    message = (
        "--engine docker: not everything was removed: container a\n"
        f"Remove it with: docker compose --file {engine.file} --project-name {engine.project} "
        "down --volumes"
    )
    docker.answer([container("api-1"), container("front-1")], left=["a"])
    with pytest.raises(WorkerError) as caught, engine.prepared():
        pass
    assert str(caught.value) == message
    assert [words[0] for words, _ in docker.composed[3:]] == ["down"] * 3
    with pytest.raises(KeyboardInterrupt), engine.prepared():
        raise KeyboardInterrupt
    assert capsys.readouterr().err == f"{message}\n"


def test_a_removal_that_does_not_end_is_given_up(
    engine: ContainerEngine, docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "_REMOVED_WITHIN_S", 0)
    with pytest.raises(WorkerError, match="compose down: it did not end within 0 s"):
        engine._down({})


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_during_the_removal_does_not_end_it(
    engine: ContainerEngine, docker: FakeDocker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    down = ContainerEngine._down
    done = []

    def interrupted(self: ContainerEngine, *arguments: Any) -> None:
        signal.raise_signal(getattr(signal, name))
        down(self, *arguments)
        done.append(arguments)

    monkeypatch.setattr(ContainerEngine, "_down", interrupted)
    signals = TerminationSignals()
    signals.install()
    try:
        with pytest.raises(KeyboardInterrupt), engine.prepared():
            pytest.fail("the block was entered")
    finally:
        signals.restore()
    assert len(done) == 2


def test_a_first_container_that_does_not_start_is_a_mistake(
    engine: ContainerEngine, docker: FakeDocker
) -> None:
    docker.answer([], broken=["api"])
    with pytest.raises(UserError, match="no such image"), engine.prepared():
        pass
    assert "--volumes" in docker.composed[-1][0]


def test_the_choice_of_compose(docker: FakeDocker) -> None:
    assert compose_command() == ["docker", "compose"]
    docker.answer([], **{"compose version": 1})
    with pytest.raises(UserError, match="neither `docker compose` nor `docker-compose` runs"):
        compose_command()
    (old := docker.folder / "docker-compose").write_text("#!/bin/sh\nexit 0\n")
    old.chmod(0o755)
    assert compose_command() == ["docker-compose"]
    docker.answer([], version="Cannot connect")
    with pytest.raises(UserError, match="no engine answers `docker version`: Cannot connect"):
        compose_command()
    (docker.folder / "docker").unlink()
    with pytest.raises(UserError, match="needs Docker with Compose"):
        compose_command()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--delay-ms", "0,5", "--engine", "docker"), "--delay-ms: not with --engine docker"),
        (("--loss", "0.1", "--users", "1,2", "--engine", "docker"), "--loss: not with"),
        (("--users", "1,2", "--compose", "x.yaml"), "--compose: needs --engine docker"),
        (
            ("--users", "1,2", "--engine", "docker"),
            "deploy/compose.yaml does not exist: specify a compose file",
        ),
    ],
)
@pytest.mark.usefixtures("docker", "folder")
def test_mistakes_are_reported(
    options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", "perf", *options]) == 2
    assert words in capsys.readouterr().err


def test_an_outcome_file_of_the_host_is_not_continued(
    folder: Path,
    docker: FakeDocker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command.Explorer, "outcomes", no_outcomes)
    (folder / "compose.yaml").write_text("services: {}")
    run: Callable[..., int] = lambda *options: main(["explore", "perf", "--users", "1,2", *options])  # noqa: E731
    in_docker = ("--engine", "docker", "--compose", "compose.yaml")
    assert run(*in_docker) == 1  # no trial was answered
    assert json.loads((folder / "explore.jsonl").read_text())["engine"] == "docker"
    assert [words[0] for words, _ in docker.composed] == ["up", "up", "down", "down"]
    assert run() == 2
    assert "engine was 'docker' and is None now" in capsys.readouterr().err


def no_outcomes(*arguments: Any) -> Iterator[Any]:
    return iter(())
