"""`infperf explore` on the fake backend: run, interrupted, continued, and shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from pytest_infperf.cli import explore as command
from pytest_infperf.errors import UserError
from pytest_infperf.explore.design import Factor, Setting
from pytest_infperf.explore.store import read
from pytest_infperf.host.control_group import ControlGroupError

SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("echo", task=Echo(), model="model", variants=[Fake(query_ms=4)])
"""
FAILING = """
from dataclasses import dataclass
from pytest_infperf import Echo, Fake, Suite

@dataclass(frozen=True)
class Broken(Fake):
    def load(self, artifact, task, threads):
        raise RuntimeError("it does not load")

suite = Suite("echo", task=Echo(), model="model", variants=[Broken(id="broken")])
"""
COMMAND = [
    sys.executable,
    "-c",
    "import sys; from pytest_infperf.cli import main; sys.exit(main())",
]

DESIGN = ("--users", "1,2", "--payload", "1,8", "--seconds", "0.5")


def written(folder: Path) -> Path:
    (folder / "suite.py").write_text(SUITE)
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


def explore(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "explore", ".", *options],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "TMPDIR": str(temporary_folder(folder))},
    )  # fmt: skip


def temporary_folder(folder: Path) -> Path:
    """Return the folder for temporary files of commands in a folder."""
    (temporary := folder / "temporary").mkdir(exist_ok=True)
    return temporary


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder with the outcomes of a whole design, and the output; not to be changed."""
    folder = tmp_path_factory.mktemp("explored")
    written(folder)
    done = explore(folder, *DESIGN, "--html", "space.html")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_every_setting_is_tried_once_and_shown(explored: tuple[Path, str]) -> None:
    folder, printed = explored
    what, outcomes = read(folder / "explore.jsonl")
    assert what["factors"] == {"users": [1, 2], "payload": [1, 8]}
    assert len(outcomes) == 8
    assert all(outcome.measured for outcome in outcomes)
    assert "echo[fake]: 8 of 8 trials answered" in printed
    assert "users with payload" in printed
    page = (folder / "space.html").read_text()
    assert "ART against users" in page
    responses = 3 if "estimated energy per request" in printed else 2  # with codecarbon
    assert page.count("<svg") == 2 * responses
    for outcome in outcomes:
        energies = (outcome.energy_per_request_j, outcome.estimated_energy_per_request_j)
        assert any(energies) == ("energy per request" in printed)


def test_servers_leave_no_temporary_file(explored: tuple[Path, str]) -> None:
    assert list(temporary_folder(explored[0]).iterdir()) == []


def test_it_continues_where_it_was_interrupted(explored: tuple[Path, str], folder: Path) -> None:
    """The file has six outcomes and the beginning of a seventh."""
    path = folder / "explore.jsonl"
    lines = (explored[0] / path.name).read_text().splitlines()
    path.write_text("\n".join(lines[:7]) + "\n" + lines[7][:20])
    done = explore(folder, *DESIGN)
    assert done.stderr.count("infperf explore") == 2
    assert "infperf explore 7/8" in done.stderr
    first, *kept = path.read_text().splitlines()
    assert json.loads(first) == json.loads(lines[0])
    assert kept[:6] == lines[1:7]
    outcomes = read(path)[1]
    assert len(outcomes) == 8
    again = explore(folder, *DESIGN)
    assert "infperf explore" not in again.stderr  # no trial is run twice
    assert read(path)[1] == outcomes


def test_it_exits_with_1_if_no_trial_was_answered(folder: Path) -> None:
    (folder / "suite.py").write_text(FAILING)
    done = explore(folder, "--users", "1,2", "--seconds", "0.3", "--replicates", "1")
    assert "echo[broken]: 0 of 2 trials answered" in done.stdout
    assert done.returncode == 1


def test_a_number_of_requests_instead_of_a_duration(folder: Path) -> None:
    options = ("--users", "1,2", "--replicates", "1")
    done = explore(folder, *options, "--requests", "20")
    assert done.returncode == 0, done.stderr
    what, outcomes = read(folder / "explore.jsonl")
    assert what["requests"] == 20
    assert "seconds" not in what
    assert [outcome.requests for outcome in outcomes] == [20, 20]
    other = explore(folder, *options, "--seconds", "4")
    assert other.returncode == 2
    assert "seconds was None and is 4.0 now" in other.stderr


@pytest.fixture
def no_netem(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `tc` fail, as on a kernel without netem."""
    (bin_folder := folder / "bin").mkdir()
    (bin_folder / "tc").write_text("#!/bin/sh\necho 'qdisc kind is unknown' >&2\nexit 2\n")
    (bin_folder / "tc").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=os.pathsep)


@pytest.mark.usefixtures("no_netem")
def test_a_proxy_delays_requests_to_replicas_without_netem(folder: Path) -> None:
    options = ("--delay-ms", "0,60", "--loss", "0,0.1", "--replicas", "1,2", "--users", "2")
    done = explore(folder, *options, "--requests", "10", "--replicates", "1")
    assert done.returncode == 0, done.stderr
    assert "skipped: loss: cannot set delay and loss with netem" in done.stdout
    assert "a proxy delays requests: cannot set delay" in done.stdout
    what, outcomes = read(folder / "explore.jsonl")
    assert what["factors"] == {"replicas": [1, 2], "delay-ms": [0, 60]}
    assert what["fixed"] == {"users": 2}
    assert what["network"] == "proxy"
    assert len(outcomes) == 4
    memory = {}
    for outcome in outcomes:
        assert outcome.error_rate == 0
        assert outcome.requests == 10
        assert outcome.response_s
        assert outcome.response_s >= outcome.setting["delay-ms"] / 1000
        memory[outcome.setting["replicas"]] = outcome.peak_memory_bytes or 0
    assert memory[2] > 1.5 * memory[1]


@pytest.mark.usefixtures("no_netem")
def test_a_loss_that_cannot_be_set_in_all_trials_is_an_error(folder: Path) -> None:
    done = explore(folder, "--users", "1,2", "--loss", "0.1")
    assert done.returncode == 2
    assert "--loss: cannot set delay and loss with netem" in done.stderr


def test_limits_that_cannot_be_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def control_group(setting: Setting) -> NoReturn:
        raise ControlGroupError("run as root")

    monkeypatch.setattr(command, "control_group", control_group)
    users, cpu = Factor("users", (1, 2)), Factor("cpu", (1, 2))
    assert command._without_unwritable([users, cpu], {}) == [users]
    assert capsys.readouterr().out == "skipped: cpu: run as root\n"
    with pytest.raises(UserError, match="--memory: run as root"):
        command._without_unwritable([users], {"memory": 1e9})
    with pytest.raises(UserError, match="no parameter is left to explore: run as root"):
        command._without_unwritable([cpu], {})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "specify a parameter with two or more values: --users"),
        (("--users", "1"), "specify a parameter with two or more values: --users"),
        (("--users", "1,1"), "users: two or more levels"),
        (("--users", "1,2", "--payload", "0"), "--payload 0: must be above 0"),
        (("--users", "1,2", "--loss", "0,1"), "--loss 0,1: must be fractions below 1"),
        (("--delay-ms=-1,1",), "must be 0 or above"),
        (("--users", "1,1.5"), "--users 1,1.5: must be whole numbers"),
        (("--users", "1,x"), "--users 1,x"),
        (("--memory", "1,2"), "--memory 1,2"),
        (("--cpu", "0.001,1"), "--cpu 0.001,1: must be from 0.01 to"),
        (("--cpu", "1,9999"), f"to {os.cpu_count()}, the number of cores of this host"),
        (("--users", "1,2", "--half"), "three or more factors"),
        (("--users", "1,2", "--seconds", "0"), "--seconds: '0' is not a number of seconds above"),
        (("--users", "1,2", "--requests", "0"), "--requests: '0' is not a whole number of at"),
        (("--users", "1,2", "--requests", "9", "--seconds", "1"), "specify only one of them"),
    ],
)
def test_mistakes_are_reported(folder: Path, options: tuple[str, ...], words: str) -> None:
    done = explore(folder, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert not (folder / "explore.jsonl").exists()
