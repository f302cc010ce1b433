"""`infperf explore --engine docker` as a whole: a fake `docker` serves with processes of this host.

The fake keeps a file for each network, volume and server that it has created, and removes the file
with the thing itself.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from pytest_infperf.explore.store import read

SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("echo", task=Echo(), model="model", variants=[Fake(query_ms=2)])
"""
MAIN = "import sys; from pytest_infperf.cli import main; sys.exit(main())"
DOCKER = """#!{python}
import json, os, signal, subprocess, sys, time
from pathlib import Path
from urllib.request import urlopen

here = Path({here!r})
words = sys.argv[1:]
names = ("SUITE", "VARIANT", "WORKERS", "THREADS", "REPLICAS", "CPUS", "MEMORY", "PORT")
variables = {{name: os.environ[name] for name in names if name in os.environ}}
with open(here / "calls.jsonl", "a") as file:
    file.write(json.dumps([os.getpid(), words, variables]) + "\\n")
made = here / "made"
server, network, volume = made / "server", made / "network", made / "volume"


def health(port):
    try:
        urlopen(f"http://127.0.0.1:{{port}}/readyz")
    except OSError:
        return "starting"
    return "healthy"


def container(name):
    pid, given = json.loads(server.read_text())
    limits = {{"NanoCpus": 0, "Memory": 0}}
    if name == "api-1":
        limits = {{"NanoCpus": round(1e9 * float(given["CPUS"])),
                   "Memory": int(given["MEMORY"].removesuffix("b"))}}
    state = {{"Status": "running", "Running": True, "OOMKilled": False, "ExitCode": 0, "Pid": pid,
              "Health": {{"Status": health(given["PORT"])}}}}
    return {{"Id": name, "RestartCount": 0, "State": state, "HostConfig": limits}}


if words[0] == "compose" and words[-1] == "api":
    network.touch()
    volume.touch()
    if (here / "hangs").exists():
        time.sleep(600)
    command = ["serve", variables["SUITE"], "--variant", variables["VARIANT"], "--quiet",
               "--port", variables["PORT"], "--workers", variables["WORKERS"],
               "--threads", variables["THREADS"], "--cache", str(here / "cache")]
    with open(here / "server.log", "a") as log:
        process = subprocess.Popen([{python!r}, "-c", {main!r}, *command], start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    server.write_text(json.dumps([process.pid, variables]))
elif words[0] == "compose" and "down" in words:
    if server.exists():
        os.killpg(json.loads(server.read_text())[0], signal.SIGKILL)
    if (here / "slow_down").exists():
        time.sleep(2)
    server.unlink(missing_ok=True)
    network.unlink(missing_ok=True)
    if "--volumes" in words:
        volume.unlink(missing_ok=True)
elif words[0] == "ps" and server.exists():
    service = [word.rpartition("=")[2] for word in words if "compose.service=" in word]
    print("\\n".join(f"{{name}}-1" for name in service or ["api", "front"]))
elif words[:2] in (["network", "ls"], ["volume", "ls"]) and (made / words[0]).exists():
    print(words[0])
elif words[0] == "inspect":
    print(json.dumps([container(name) for name in words[1:]]))
elif words[0] == "events":
    time.sleep(600)
"""


class Docker:
    """The fake, and a folder with a suite to explore in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = folder / "docker"
        (self.here / "made").mkdir(parents=True)
        (bin_folder := folder / "bin").mkdir()
        (executable := bin_folder / "docker").write_text(
            DOCKER.format(python=sys.executable, here=str(self.here), main=MAIN)
        )
        executable.chmod(0o755)
        (folder / "suite.py").write_text(SUITE)
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        (folder / "compose.yaml").write_text("services: {}")
        (folder / "temporary").mkdir()
        self.environment = {
            **os.environ,
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(folder / "temporary"),
        }

    def explore(self, *options: str) -> subprocess.Popen[str]:
        """Start the command; SIGINT of the caller's terminal does not reach it."""
        arguments = ["explore", ".", "--engine", "docker", "--compose", "compose.yaml", *options]
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments],
            cwd=self.folder, env=self.environment, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    @property
    def calls(self) -> list[tuple[int, list[str], dict[str, str]]]:
        """Process id, words and variables of each call."""
        path = self.here / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def has_called(self, word: str) -> bool:
        return any(word in words for _, words, _ in self.calls)

    @property
    def left(self) -> list[str]:
        """Networks, volumes, servers, temporary files and running processes of the fake."""
        made = [path.name for path in (self.here / "made").iterdir()]
        files = [path.name for path in (self.folder / "temporary").iterdir()]
        running = [" ".join(words) for pid, words, _ in self.calls if psutil.pid_exists(pid)]
        return made + files + running


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Docker]:
    docker = Docker(tmp_path)
    yield docker
    if (server := docker.here / "made" / "server").exists():
        os.killpg(json.loads(server.read_text())[0], signal.SIGKILL)


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = monotonic() + 120
    while not happened():
        assert process.poll() is None, process.communicate()
        assert monotonic() < deadline
        sleep(0.05)


def test_limits_and_processes_of_containers_are_factors(docker: Docker) -> None:
    process = docker.explore(
        "--cpu", "0.2,0.5", "--memory", "500MB,1GB", "--workers", "2", "--replicates", "1",
        "--seconds", "0.3", "--html", "page.html",
    )  # fmt: skip
    out, err = process.communicate()
    assert process.returncode == 0, err
    what, outcomes = read(docker.folder / "explore.jsonl")
    assert what["factors"] == {"cpu": [0.2, 0.5], "memory": [500e6, 1e9]}
    assert what["fixed"] == {"workers": 2}
    assert all(outcome.measured and outcome.cores for outcome in outcomes)
    given = [variables for _, words, variables in docker.calls if words[-1] == "api"]
    assert (given[0]["CPUS"], given[0]["MEMORY"], given[0]["WORKERS"]) == ("0", "0b", "1")
    assert {(v["CPUS"], v["MEMORY"], v["WORKERS"]) for v in given[1:]} == {
        ("0.2", "500000000b", "2"), ("0.5", "500000000b", "2"),
        ("0.2", "1000000000b", "2"), ("0.5", "1000000000b", "2"),
    }  # fmt: skip
    assert "4 of 4 trials answered" in out
    responses = out.count("trials, ")  # ART, ACU and perhaps energy
    assert len(re.findall(r"^cpu +0\.2, 0\.5 ", out, re.MULTILINE)) == responses
    assert len(re.findall(r"^memory +500 MB, 1 GB ", out, re.MULTILINE)) == responses
    page = (docker.folder / "page.html").read_text()
    assert "ART against cpu" in page
    assert "ART against memory" in page
    assert "average response time, ms by cpu, cores: a dot per trial" in page
    assert re.search(r"memory=(500 MB|1 GB),workers=2", page)  # the fastest setting
    assert docker.left == []


def test_interrupts_leave_nothing_and_keep_what_was_measured(docker: Docker) -> None:
    (docker.here / "slow_down").touch()
    path = docker.folder / "explore.jsonl"
    process = docker.explore("--cpu", "0.2,0.5", "--seconds", "0.3")
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) == 2, process)
    removals = sum("down" in words for _, words, _ in docker.calls)
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: sum("down" in words for _, words, _ in docker.calls) > removals, process)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert "interrupted; run the same command to continue from explore.jsonl" in out
    assert docker.left == []
    assert docker.has_called("--volumes")
    outcomes = read(path)[1]
    assert len(outcomes) == 1
    assert outcomes[0].measured


def test_an_interrupt_ends_compose_while_it_creates(docker: Docker) -> None:
    (docker.here / "hangs").touch()
    process = docker.explore("--cpu", "0.2,0.5")
    wait_until(lambda: docker.has_called("api"), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert docker.left == []
    assert (docker.folder / "explore.jsonl").exists()
