"""`infperf study`: on this host, and on instances of a simulated account with local servers."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_infperf.cli import main
from pytest_infperf.errors import UserError
from pytest_infperf.records import file as record_file
from pytest_infperf.serving.deploy.ec2 import DeployedInstance, Ec2
from pytest_infperf.serving.deploy.plan import DeploymentPlan
from pytest_infperf.study import places
from pytest_infperf.study.measuring import CellMeasuring
from tests.endpoint_server import free_port
from tests.serving.deploy.conftest import account
from tests.serving.deploy.made import groups, instances

__all__ = ["account"]
pytestmark = pytest.mark.usefixtures("default_signals")

SUITE = """
from pytest_infperf import Echo, Fake, SingleStream, Suite

suite = Suite(
    "echo", task=Echo(count=40), model="model", baseline="slow", loads=[SingleStream()],
    variants=[Fake(id="slow", query_ms=20), Fake(id="fast", query_ms=1, wrong=0.5)],
)
"""
THRESHOLDS = """
schema = 1
[echo.gates]
accuracy = { min = 90, max_drop = 1 }
size = { max = "1 B" }
latency_p50.at."users=2" = { max = "1 s" }
latency_p50.at.SingleStream = { max = "1 s" }
cost_per_million.at."users=2" = { max = "100 USD" }
"""
COMMAND = [
    "study", "suites/echo", "--variants", "slow,fast", "--users", "2", "--hours", "0.0005",
]  # fmt: skip
PORT = ""
"""Port of the servers that stand for instances."""
USD_PER_HOUR = {"c7i.large": 0.1, "c7g.large": 0.05}


def written(folder: Path) -> Path:
    suite = folder / "suites" / "echo"
    (suite / "model").mkdir(parents=True)
    (suite / "model" / "config.json").write_text("{}")
    (suite / "suite.py").write_text(SUITE)
    (folder / "thresholds.toml").write_text(THRESHOLDS)
    prices = {"instances": {n: {"usd_per_hour": usd} for n, usd in USD_PER_HOUR.items()}}
    prices |= {"region": "us-east-1", "generated": "2026-11-01", "source": "a test"}
    (folder / "prices.json").write_text(json.dumps(prices))
    return folder


def infperf(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from pytest_infperf.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "COLUMNS": "150"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return the folder of a study of this host, with its output; not to be changed."""
    folder = written(tmp_path_factory.mktemp("studied"))
    arguments = ["--instances", "c7i.large", "--here", "--prices", "prices.json"]
    done = infperf(folder, *COMMAND, *arguments, "--markdown", "table.md")
    assert done.returncode == 0, done.stderr + done.stdout
    return folder, done.stdout, done.stderr


def test_a_study_of_this_host_has_a_row_for_each_variant(here: tuple[Path, str, str]) -> None:
    _, out, _ = here
    assert "echo under load users=2" in out
    assert "c7i.large" in out.splitlines()
    [slow] = [line for line in out.splitlines() if line.split()[:1] == ["slow"]]
    [fast] = [line for line in out.splitlines() if line.split()[:1] == ["fast"]]
    assert slow.split()[-1] == "pass"
    assert fast.split()[-1] == "FAIL", "half of its answers are wrong"
    assert "cheapest that meets every limit: slow on c7i.large" in out


def test_the_record_has_quality_load_and_cost(here: tuple[Path, str, str]) -> None:
    folder, _, _ = here
    run = record_file.read(folder / "study" / "c7i.large" / "slow.json")
    [record] = run.records
    assert (record.suite, record.variant) == ("echo", "slow")
    assert record.measures["accuracy"].value == 100
    per_hour = record.measures["requests_per_hour@users=2"].value
    cost = record.measures["cost_per_million@users=2"].value
    assert cost == pytest.approx(0.1 / per_hour * 1e6)
    assert record.evidence.loads
    assert record.evidence.loads["users=2"].requests > 10
    assert {(g.measure, g.verdict.value) for g in record.gates} == {
        ("accuracy", "pass"),
        ("latency_p50@users=2", "pass"),
        ("cost_per_million@users=2", "pass"),
    }
    assert (run.host["instance_type"], run.host["usd_per_hour"]) == ("c7i.large", 0.1)
    assert run.host["cpu_model"], "it is this host that serves"


def test_limits_that_a_study_does_not_judge_are_named(here: tuple[Path, str, str]) -> None:
    _, out, _ = here
    assert "fast: a study does not judge limits relative to the baseline (accuracy)" in out
    assert "slow: a study judges" not in out, "it is the baseline"


def test_a_study_is_continued_and_not_repeated(here: tuple[Path, str, str]) -> None:
    folder, before, _ = here
    path = folder / "study" / "c7i.large" / "fast.json"
    measured = path.read_bytes()
    arguments = ["--instances", "c7i.large", "--here", "--prices", "prices.json"]
    again = infperf(folder, *COMMAND, *arguments)
    assert again.returncode == 0, again.stderr
    assert path.read_bytes() == measured
    assert "under load" not in again.stderr
    table = before[before.index("echo under load") :].strip()
    assert again.stdout.strip() == table


def test_a_folder_holds_one_study(here: tuple[Path, str, str]) -> None:
    folder, _, _ = here
    arguments = ["--instances", "c7i.large", "--here", "--prices", "prices.json"]
    other = infperf(folder, *COMMAND, *arguments, "--users", "3")
    assert other.returncode == 2
    assert "contains another study: users was 2 and is 3 now. Use another folder" in other.stderr


def test_verdicts_of_other_limits_are_not_continued(here: tuple[Path, str, str]) -> None:
    folder, _, _ = here
    (folder / "stricter.toml").write_text(THRESHOLDS.replace("min = 90", "min = 100"))
    arguments = ["--instances", "c7i.large", "--here", "--prices", "prices.json"]
    other = infperf(folder, *COMMAND, *arguments, "--thresholds", "stricter.toml")
    assert other.returncode == 2
    assert "contains another study: sha256 of the limits was" in other.stderr


def test_the_report_shows_the_records_too(here: tuple[Path, str, str]) -> None:
    folder, out, _ = here
    files = [f"study/c7i.large/{variant}.json" for variant in ("slow", "fast")]
    reported = infperf(folder, "report", *files, "--load", "users=2", "--prices", "prices.json")
    assert reported.returncode == 0, reported.stderr
    assert reported.stdout.strip() == out[out.index("echo under load") :].strip()
    lines = (folder / "table.md").read_text().splitlines()
    assert lines[0] == "### echo under load users=2"
    assert sum(line.startswith("| c7i.large |") for line in lines) == 2


def test_a_load_that_no_record_has_is_an_error(here: tuple[Path, str, str]) -> None:
    folder, _, _ = here
    reported = infperf(folder, "report", "study/c7i.large/slow.json", "--load", "users=20")
    assert reported.returncode == 2
    assert "--load users=20: none of these records has that load; they have users=2" in (
        reported.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variants", "quick", "--instances", "c7i.large"], "echo has no quick; it has slow"),
        (["--variants", "slow", "--instances", "c9.huge", "--here"], "c9.huge is not in prices"),
        (["--variants", "slow", "--instances", "a,b", "--here"], "--here serves on one host"),
        (["--variants", "slow", "--instances", "a", "--hours", "0"], "'0' is not a number above 0"),
        (
            ["--variants", "slow", "--instances", "a", "--yes"],
            "allow its public address with --allow CIDR",
        ),
        (["--variants", ",", "--instances", "a"], "specify at least one of each"),
        (["--variants", "slow", "--instances", "a", "--hours", "inf"], "--hours: 'inf' is not a"),
        (["--variants", "slow", "--instances", "a", "--users", "-1"], "--users: '-1' is not"),
    ],
)
def test_suites_that_cannot_be_studied_are_reported(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    written(tmp_path)
    said = infperf(tmp_path, "study", "suites/echo", *arguments, "--prices", "prices.json")
    assert said.returncode == 2
    assert message in said.stderr


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        (
            'task=Custom(data=[("a", "b")], metrics=["accuracy"]), variants=[Function("m:load")]',
            "Custom cannot be served: it defines no payload",
        ),
        (
            'task=Echo(), variants=[Endpoint("http://127.0.0.1:1/x", id="function")]',
            "function is the address of a server that already runs",
        ),
    ],
)
@pytest.mark.parametrize("command", ["study", "deploy", "serve"])
def test_variants_that_cannot_be_served_are_reported_first(
    tmp_path: Path, command: str, suite: str, message: str
) -> None:
    (tmp_path / "suite.py").write_text(f"""
from pytest_infperf import Custom, Echo, Endpoint, Function, Suite

suite = Suite("own", {suite})
""")
    source = ["--repository", "https://example.org/a.git", "--revision", "main"]
    options = {
        "study": ["--variants", "function", "--instances", "c7i.large", *source],
        "deploy": ["--variant", "function", "--instance", "c7i.large", *source],
        "serve": ["--variant", "function", "--port", "0"],
    }
    said = infperf(tmp_path, command, ".", *options[command])
    assert said.returncode == 2, said.stdout
    assert f"infperf {command}: {message}" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with the suite, in which commands run in this process."""
    monkeypatch.chdir(written(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = {*sys.modules}
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "suites"]:
        if name not in known:
            del sys.modules[name]


def on_instances(*more: str) -> int:
    return main(
        [
            *COMMAND, "--instances", "c7i.large,c7g.large", "--prices", "prices.json",
            "--repository", "https://example.org/a.git", "--revision", "main",
            "--allow", "203.0.113.7", *more,
        ]
    )  # fmt: skip


def test_the_plan_has_its_cost_and_calls_nobody(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def called(region: str) -> None:
        raise AssertionError("AWS was called")

    monkeypatch.setattr(places, "Ec2", called)
    assert on_instances("--hours", "1") == 0
    out = capsys.readouterr().out
    assert "4 instances one after the other, each for 1 h of load by 2 users" in out
    assert "about 0.375 USD in us-east-1" in out  # 2 x 1.25 h x (0.10 + 0.05) USD/h
    assert "nothing was created, and AWS was not called: add --yes" in out
    assert not (project / "study").exists()


@pytest.fixture
def serving(
    account: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], list[str]]]:
    """Serve on this host what instances of a simulated account would; return who served."""
    create, teardown = Ec2.create, Ec2.teardown
    port, served = free_port(), []
    with ExitStack() as running:

        def created(self: Ec2, plan: DeploymentPlan, report: Any) -> DeployedInstance:
            instance = create(self, plan, report)
            served.append(f"{plan.variant} on {plan.instance_type}")
            program = "import sys; from pytest_infperf.cli import main; sys.exit(main())"
            command = ["serve", plan.source.folder, "--variant", plan.variant, "--quiet"]
            server = subprocess.Popen(
                [sys.executable, "-c", program, *command, "--port", str(plan.port)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            running.callback(server.wait)
            running.callback(server.kill)
            return replace(instance, address="127.0.0.1")

        def torn_down(self: Ec2, name: str) -> list[str]:
            running.pop_all().close()
            return teardown(self, name)

        monkeypatch.setattr(Ec2, "create", created)
        monkeypatch.setattr(Ec2, "teardown", torn_down)
        monkeypatch.setattr(places, "_POLL_S", 0.1)
        monkeypatch.setattr(f"{__name__}.PORT", str(port))
        yield lambda: served


def test_instances_are_studied_one_after_the_other(
    account: Any,
    project: Path,
    serving: Callable[[], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert on_instances("--yes", "--port", PORT) == 0
    out, err = capsys.readouterr()
    cells = [f"{v} on {t}" for t in ("c7i.large", "c7g.large") for v in ("slow", "fast")]
    assert serving() == cells
    assert (instances(account), groups(account)) == ([], [])
    assert "cheapest that meets every limit: slow on c7g.large" in out, out
    run = record_file.read(project / "study" / "c7g.large" / "slow.json")
    assert (run.host["usd_per_hour"], run.host["cpu_model"]) == (0.05, None)
    assert "tearing study-c7i-large-echo-slow down" in err
    # What was measured is not measured again, and needs no instance.
    (project / "study" / "c7i.large" / "fast.json").unlink()
    assert on_instances("--yes", "--port", PORT) == 0
    assert serving() == [*cells, "fast on c7i.large"]


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), UserError("a broken server")])
def test_nothing_is_left_of_a_cell_that_ends_early(
    account: Any,
    serving: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ends: BaseException,
) -> None:
    def measure(*arguments: Any) -> list[str]:
        assert len(instances(account)) == 1
        raise ends

    monkeypatch.setattr(CellMeasuring, "measure", measure)
    status = on_instances("--yes", "--port", PORT)
    assert (instances(account), groups(account)) == ([], [])
    out, err = capsys.readouterr()
    if isinstance(ends, UserError):
        assert status == 1
        assert len(serving()) == 4, "the other cells are tried"
        assert "FAILED fast on c7g.large: a broken server" in err
    else:
        assert status == 130
        assert len(serving()) == 1
        assert "interrupted; run the same command to continue from study" in out


def refused(self: Ec2, name: str) -> list[str]:
    raise UserError("AWS: no permission")


def test_what_could_not_be_removed_is_named(
    account: Any,
    serving: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Ec2, "teardown", refused)
    monkeypatch.setattr(CellMeasuring, "measure", lambda *arguments: [])
    assert on_instances("--yes", "--port", PORT) == 1
    err = capsys.readouterr().err
    assert "study-c7i-large-echo-slow could not be removed: AWS: no permission" in err
    assert "infperf deploy --teardown study-c7i-large-echo-slow --region us-east-1" in err


def test_a_study_ends_after_an_interruption_even_if_removing_fails(
    account: Any,
    serving: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def measure(*arguments: Any) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ec2, "teardown", refused)
    monkeypatch.setattr(CellMeasuring, "measure", measure)
    assert on_instances("--yes", "--port", PORT) == 130
    assert serving() == ["slow on c7i.large"]
    assert "infperf deploy --teardown study-c7i-large-echo-slow" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_an_instance_is_removed_ends_the_study_afterwards(
    account: Any, serving: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    teardown = Ec2.teardown

    def interrupted(self: Ec2, name_of_deployment: str) -> list[str]:
        signal.raise_signal(getattr(signal, name))
        return teardown(self, name_of_deployment)

    monkeypatch.setattr(Ec2, "teardown", interrupted)
    monkeypatch.setattr(CellMeasuring, "measure", lambda *arguments: [])
    assert on_instances("--yes", "--port", PORT) == 130
    assert (instances(account), groups(account)) == ([], [])
    assert serving() == ["slow on c7i.large"]


def test_a_closed_terminal_leaves_no_instance(
    account: Any, serving: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    def measure(*arguments: Any) -> list[str]:
        monkeypatch.setattr(sys, "stderr", Closed())
        raise KeyboardInterrupt

    monkeypatch.setattr(CellMeasuring, "measure", measure)
    assert on_instances("--yes", "--port", PORT) == 130
    assert (instances(account), groups(account)) == ([], [])


def test_a_record_that_cannot_be_written_is_a_failure(
    account: Any,
    project: Path,
    serving: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write = record_file.write_text

    def full(path: Path, text: str, **how: Any) -> None:
        if path.name == "slow.json":
            raise record_file.RecordError(f"{path}: the record was not written")
        write(path, text, **how)

    monkeypatch.setattr(record_file, "write_text", full)
    assert on_instances("--yes", "--port", PORT, "--instances", "c7i.large") == 1
    err = capsys.readouterr().err
    assert "FAILED slow on c7i.large: " in err
    assert "the record was not written" in err
    assert "slow on c7i.large: under load" not in err, "the load would be measured in vain"


def test_a_server_of_another_protocol_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UserError, match="did not answer with status 200"):
            places.wait_until_ready(f"http://127.0.0.1:{server.getsockname()[1]}", 0.0, 5.0)
        thread.join()


def test_a_server_that_is_never_ready_is_an_error() -> None:
    with pytest.raises(UserError, match=r"/readyz did not answer with status 200 within 0 min"):
        places.wait_until_ready(f"http://127.0.0.1:{free_port()}", 0.0, 0.1)
