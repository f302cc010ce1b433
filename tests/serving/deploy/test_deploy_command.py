"""`infperf deploy` as a user calls it, in a project with the fake backend."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.client import BaseClient
from syrupy.assertion import SnapshotAssertion

from pytest_infperf import cli
from pytest_infperf.records import file as record_file
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord
from tests.serving.deploy.made import REGION, ROOT, Refusing, groups, instances, tags

SUITE = """
from pytest_infperf import Echo, Fake, Onnx, Suite

suite = Suite(
    "echo", task=Echo(count=4), model="model", baseline="slow",
    variants=[
        Fake(id="slow"), Fake(id="fast"), Onnx(id="graph"),
        Fake(id="apart", python="env/bin/python"),
    ],
)
"""
SOURCE = ["--repository", "https://example.org/acme/models.git", "--revision", "v1.2"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "suites/deployed").mkdir(parents=True)
    (tmp_path / "suites/deployed/suite.py").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("COLUMNS", "160")
    known = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - known:
        if name.partition(".")[0] == "suites":
            del sys.modules[name]


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if AWS is called."""

    def refuse(*arguments: Any, **named: Any) -> None:
        pytest.fail(f"AWS was called: {arguments}")

    monkeypatch.setattr(boto3, "client", refuse)


def deploy(*arguments: str, source: bool = True) -> int:
    return cli.main(["deploy", *arguments, *(SOURCE if source else [])])


@pytest.mark.usefixtures("project", "no_aws")
def test_the_plan_says_what_it_makes_and_costs(
    capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    assert deploy("suites/deployed", "--variant", "fast", "--hours-shown", "100") == 0
    output = capsys.readouterr().out
    assert output.replace(version("pytest-infperf"), "VERSION") == snapshot
    assert "deployment echo-fast: echo[fast]" in output
    assert "c7i.large in us-east-1" in output
    assert "nobody: the security group has no rule" in output
    assert "https://example.org/acme/models.git at v1.2, suites/deployed" in output
    assert (
        "0.08925 USD an hour, 2.142 USD a day, 65.15 USD a month, 8.925 USD for 100 hours" in output
    )
    assert "2026-01-19" in output
    assert "    ExecStart=/opt/venv/bin/infperf serve suites/deployed --variant fast" in output
    assert "nothing was created" in output


@pytest.mark.usefixtures("project")
def test_the_plan_makes_nothing(account: Any) -> None:
    assert deploy("suites/deployed", "--allow", "203.0.113.7/32") == 0
    assert (instances(account), groups(account)) == ([], [])


@pytest.mark.usefixtures("project", "no_aws")
@pytest.mark.parametrize(("variant", "package"), [("fast", "[serve]"), ("graph", "[onnx,serve]")])
def test_only_packages_of_the_variant_are_installed(
    variant: str, package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy("suites/deployed", "--variant", variant)
    assert f"package='pytest-infperf{package}==" in capsys.readouterr().out


@pytest.mark.usefixtures("project", "no_aws")
def test_a_variant_with_an_environment_of_its_own_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert deploy("suites/deployed", "--variant", "apart") == 2
    assert "apart runs in an environment of its own (env/bin/python)" in capsys.readouterr().err


@pytest.mark.usefixtures("project", "no_aws")
def test_an_open_port_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    deploy("suites/deployed", "--allow", "0.0.0.0/0")
    assert "0.0.0.0/0 to port 8000 only; this is everybody" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_from_the_first_to_the_last_command(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy("suites/deployed", "--yes", "--allow", "203.0.113.7/32") == 0
    output = capsys.readouterr().out
    (instance,) = instances(account)
    assert tags(instance)["infperf:variant"] == "slow"
    assert output.index("0.08925 USD an hour") < output.index("the dry run passed")
    assert f"http://{instance['PublicIpAddress']}:8000/readyz" in output
    assert output.endswith("infperf deploy --teardown echo-slow --region us-east-1\n")

    assert deploy("--list", source=False) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "echo-slow" in line]
    assert row.split()[1:5] == ["echo[slow]", instance["InstanceId"], "c7i.large", "running"]

    assert deploy("--teardown", "echo-slow", source=False) == 0
    removed = capsys.readouterr().out
    assert re.fullmatch(rf"removed: {instance['InstanceId']}, sg-\w+\n", removed)
    assert (instances(account), groups(account)) == ([], [])

    assert deploy("--list", source=False) == 0
    assert capsys.readouterr().out == "no deployments in us-east-1\n"


@pytest.mark.usefixtures("project", "account")
def test_the_docs_name_every_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    called: set[str] = set()
    call = BaseClient._make_api_call

    def record(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        called.add(f"{self.meta.service_model.service_name}:{operation}")
        return call(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    deploy("suites/deployed", "--yes", "--allow", "203.0.113.7/32")
    deploy("--teardown", "echo-slow", source=False)
    assert "ec2:TerminateInstances" in called
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert [permission for permission in called if f"`{permission}`" not in page] == []


@pytest.mark.usefixtures("project", "account")
def test_a_deployment_without_open_ports_is_reached_through_session_manager(
    capsys: pytest.CaptureFixture[str],
) -> None:
    iam = boto3.client("iam", region_name=REGION)
    iam.create_instance_profile(InstanceProfileName="managed")
    assert deploy("suites/deployed", "--yes", "--instance-profile", "managed") == 0
    assert "aws ssm start-session --region us-east-1 --target i-" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_a_group_without_its_instance_is_listed(
    account: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy("suites/deployed", "--yes")
    account.terminate_instances(InstanceIds=[i["InstanceId"] for i in instances(account)])
    deploy("--list", source=False)
    assert (
        "is left of echo-slow; remove it with: infperf deploy --teardown echo-slow"
        in capsys.readouterr().out
    )


@pytest.mark.usefixtures("project")
def test_a_refusal_is_one_message_and_the_status_of_a_mistake(
    account: Any, refusing: Refusing, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing("RunInstances", "VcpuLimitExceeded")
    assert deploy("suites/deployed", "--yes") == 2
    output = capsys.readouterr().err
    assert output.startswith("infperf deploy: AWS: ")
    assert "Service Quotas" in output
    assert groups(account) == []


@pytest.mark.usefixtures("project", "no_aws")
@pytest.mark.parametrize(
    "named",
    [["--region", "eu-west-1"], ["--instance", "c99.large"]],
)
def test_without_a_known_cost_nothing_is_made(
    named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy("suites/deployed", *named) == 0
    assert "cost      not known: " in capsys.readouterr().out
    assert deploy("suites/deployed", "--yes", *named) == 2
    output = capsys.readouterr().err
    assert "nothing was created, because its cost is not known" in output
    assert "--prices aws" in output
    assert "--infperf-prices" not in output


@pytest.mark.usefixtures("project", "no_aws")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "specify the folder of a suite, or --list, or --teardown NAME"),
        (["suites/none"], "has no suite.py"),
        (["suites/deployed", "--variant", "none"], "it has slow, fast, graph"),
        (["suites/deployed", "--allow", "203.0.113.7/8"], "has host bits set; write it as"),
        (["suites/deployed", "--allow", "home"], "write it as 203.0.113.7/32"),
        (["suites/deployed", "--port", "80"], "1024 to 65535"),
        (["suites/deployed", "--name", "Not this"], "lowercase letters, digits and dashes"),
    ],
)
def test_mistakes_are_reported_before_aws_is_called(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy(*arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("project", "no_aws")
@pytest.mark.parametrize("hours", ["0", "nan"])
def test_hours_must_be_above_0(hours: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        deploy("suites/deployed", "--hours-shown", hours)
    assert f"{hours!r} is not a number above 0" in capsys.readouterr().err


@pytest.mark.usefixtures("project", "no_aws")
@pytest.mark.parametrize(
    ("repository", "revision", "message"),
    [
        ("git@example.org:acme/models.git", "main", "an https address that can be cloned"),
        ("http://example.org/models.git", "main", "an https address that can be cloned"),
        ("https://me:secret@example.org/models.git", "main", "contains credentials"),
        ("https://example.org/models.git", "main; reboot", "specify a branch, a tag"),
        (
            "https://example.org/models.git",
            "--upload-pack=x",
            "specify a branch, a tag",
        ),
    ],
)
def test_what_the_instance_could_not_clone_or_should_not_run(
    repository: str, revision: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["suites/deployed", f"--repository={repository}", f"--revision={revision}"]
    assert deploy(*arguments, source=False) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "secret" not in shown


@pytest.mark.usefixtures("no_aws")
def test_repository_and_revision_are_those_of_the_checkout(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy("suites/deployed", source=False) == 2
    assert "specify one with --repository" in capsys.readouterr().err

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(project), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("remote", "add", "origin", "https://example.org/acme/models.git")
    assert deploy("suites/deployed", source=False) == 2
    assert "specify a --revision" in capsys.readouterr().err
    git("add", "suites")
    git("commit", "--quiet", "--message", "first")
    assert deploy("suites/deployed", source=False) == 0
    output = capsys.readouterr().out
    commit = git("rev-parse", "HEAD")
    assert f"https://example.org/acme/models.git at {commit}, suites/deployed\n" in output
    assert "push the commit first, because the instance clones it\n" in output
    (project / "suites/deployed/suite.py").write_text(SUITE + "\n# changed\n")
    deploy("suites/deployed", source=False)
    assert "uncommitted changes are not part of it" in capsys.readouterr().out


def planned_record(project: Path, instance: str = "c7i.large", variant: str = "fast") -> list[str]:
    """Write a record with a highest rate, and return the words of a plan for it."""
    measures = {"highest_rate@Server": Measure(50.0, "requests/s")}
    record = Record("echo", variant, measures)
    record_file.write(
        project / "record.json", RunRecord({"instance_type": instance}, None, [record])
    )
    to = ["--template", "cloudformation", "out.yaml", "--source", "suites/deployed"]
    return ["plan", "record.json", "--rate", "100/s", *to, *SOURCE]


def test_a_plan_is_written_as_a_template(
    project: Path, no_aws: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(planned_record(project)) == 0
    assert "template: out.yaml" in capsys.readouterr().out
    template = yaml.safe_load((project / "out.yaml").read_text())
    launch = template["Resources"]["LaunchTemplate"]["Properties"]["LaunchTemplateData"]
    [_, [script, _]] = launch["UserData"]["Fn::Base64"]["Fn::Join"]
    assert "infperf serve suites/deployed --variant fast --host 0.0.0.0 --port 8000" in script
    assert "git clone --no-checkout https://example.org/acme/models.git" in script


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"variant": "gone"}, "does not contain the planned echo[gone]"),
        ({"instance": "Xeon(R)"}, "is not an EC2 instance type"),
    ],
)
def test_a_template_is_for_what_was_planned(
    project: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], words: str
) -> None:
    assert cli.main(planned_record(project, **changes)) == 2
    assert words in capsys.readouterr().err
    assert not (project / "out.yaml").exists()


@pytest.mark.usefixtures("project", "default_signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_between_two_steps_removes_what_was_created(
    account: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    call = BaseClient._make_api_call

    def interrupted(self: Any, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "AuthorizeSecurityGroupIngress":
            signal.raise_signal(getattr(signal, name))
        return call(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", interrupted)
    assert deploy("suites/deployed", "--yes", "--allow", "203.0.113.7/32") == 130
    output = capsys.readouterr()
    assert "removed again: sg-" in output.out
    assert output.err == f"interrupted by {'Ctrl-C' if name == 'SIGINT' else name}\n"
    assert (instances(account), groups(account)) == ([], [])
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
