"""The script of an instance, run by a real bash and git; the host's tools are replaced."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.serving.deploy.plan import BUILT, Source
from pytest_infperf.serving.deploy.user_data import LIMIT_BYTES, script, unit
from tests.serving.deploy.made import Planned, parse_serve

ADDRESS = "https://example.org/acme/models.git"
Run = Callable[..., list[str]]


def parsed(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(text)
    return parser


def test_the_service_serves_the_variant_and_is_not_root(planned: Planned) -> None:
    service = parsed(unit(planned(port=8123)))["Service"]
    assert service["ExecStart"] == (
        "/opt/venv/bin/infperf serve suites/translation --variant fast --host 0.0.0.0 --port 8123 "
        "--cache /var/cache/infperf"
    )
    assert service["User"] == "infperf"
    assert (service["Restart"], service["ProtectSystem"]) == ("on-failure", "strict")


def test_the_command_of_the_service_is_valid(planned: Planned) -> None:
    words = parsed(unit(planned()))["Service"]["ExecStart"].split()
    assert words[:2] == ["/opt/venv/bin/infperf", "serve"]
    arguments = parse_serve(words[2:])
    assert (arguments.variant, arguments.host, arguments.port) == ("fast", "0.0.0.0", 8000)


def test_addresses_of_version_6_are_listened_to_where_they_are_allowed(planned: Planned) -> None:
    assert " --host :: " in unit(planned(allow="2001:db8::/32"))


def test_its_size_is_limited(planned: Planned) -> None:
    assert len(script(planned()).encode()) < LIMIT_BYTES
    with pytest.raises(UserError, match="EC2 allows 16,384"):
        script(planned(source=Source(ADDRESS, "main", "x" * LIMIT_BYTES)))


@pytest.fixture
def run(tmp_path: Path, planned: Planned, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the script of a revision, and returns its calls in order.

    More arguments are changes of the plan.

    The script runs below a temporary folder. git is the real one, and clones a local repository.
    """
    tools, calls = tmp_path / "tools", tmp_path / "calls"
    tools.mkdir()
    stub = f'#!/bin/bash\necho "${{0##*/}} $*" >> {calls}\n'
    makes_pip = '[ "$1 $2" != "-m venv" ] || { mkdir -p "$3/bin"; cp "${0%/*}/pip" "$3/bin"; }\n'
    for name in ("dnf", "useradd", "systemctl", "pip", "python3.11", "docker"):
        (tools / name).write_text(stub + (makes_pip if name == "python3.11" else ""))
        (tools / name).chmod(0o755)
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    settings = {f"url.file://{tmp_path / 'origin'}.insteadOf": ADDRESS, "user.name": "a",
                "user.email": "a@example.org", "init.defaultBranch": "main"}  # fmt: skip
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")

    def ran(revision: str, **changes: object) -> list[str]:
        source = Source(ADDRESS, revision, "suites/translation")
        text = script(planned(source=source, **changes))
        for place in ("/opt/", "/etc/systemd/"):
            text = text.replace(f" {place}", f" {tmp_path}{place}")
            text = text.replace(f"\n{place}", f"\n{tmp_path}{place}")
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return calls.read_text().splitlines()

    return ran


def committed(folder: Path, files: dict[str, str], branch: str = "main") -> str:
    folder.mkdir(exist_ok=True)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("checkout", "--quiet", "-B", branch)
    for name, text in files.items():
        (folder / name).write_text(text)
    git("add", ".")
    git("commit", "--quiet", "--message", branch)
    commit = git("rev-parse", "HEAD")
    git("checkout", "--quiet", "-B", "main")
    return commit


def test_a_project_gets_the_package_of_this_version(tmp_path: Path, run: Run) -> None:
    committed(tmp_path / "origin", {"suite.py": ""})
    called = run("main")
    assert called[-4:] == [
        "pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch",
        "pip install --no-cache-dir --constraint /dev/null "
        f"pytest-infperf[onnx,serve]=={version('pytest-infperf')}",
        "systemctl daemon-reload",
        "systemctl enable --now infperf.service",
    ]


def test_this_project_gets_itself_and_the_versions_it_names(tmp_path: Path, run: Run) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "pytest-infperf"\n',
        "constraints.txt": "torch==2.13.0\nonnx==1.23.2\n",
    }
    committed(tmp_path / "origin", files)
    assert run("main")[-4:-2] == [
        "pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0",
        "pip install --no-cache-dir --constraint constraints.txt .[onnx,serve]",
    ]


def test_the_unit_is_written_as_it_is(tmp_path: Path, run: Run, planned: Planned) -> None:
    committed(tmp_path / "origin", {"suite.py": ""})
    run("main")
    written = (tmp_path / "etc/systemd/system/infperf.service").read_text()
    assert written.replace(str(tmp_path), "") == unit(planned())


@pytest.mark.parametrize("by", ["branch", "commit"])
def test_branches_and_commits_are_checked_out(tmp_path: Path, run: Run, by: str) -> None:
    committed(tmp_path / "origin", {"which": "main"})
    commit = committed(tmp_path / "origin", {"which": "side"}, branch="side")
    committed(tmp_path / "origin", {"which": "later"})
    run("side" if by == "branch" else commit)
    assert (tmp_path / "opt/infperf/which").read_text() == "side"


SERVES = ["suites/translation", "--variant", "fast", "--host", "0.0.0.0", "--port", "8123"]


def of_docker(calls: list[str]) -> list[list[str]]:
    return [call.split()[1:] for call in calls if call.startswith("docker ")]


def test_a_container_runs_an_image_of_a_registry(run: Run) -> None:
    called = run("main", container="ghcr.io/acme/models:1.2", port=8123)
    assert called[:2] == ["dnf install --assumeyes docker git", "systemctl enable --now docker"]
    pull, container = of_docker(called)
    assert pull == ["pull", "ghcr.io/acme/models:1.2"]
    assert container[0] == "run"
    assert {"--read-only", "--detach", "no-new-privileges", "8123:8123"} <= set(container)
    arguments = container[container.index("ghcr.io/acme/models:1.2") + 1 :]
    assert arguments == [*SERVES, "--cache", "/var/cache/infperf"]
    assert parse_serve(arguments).port == 8123


def test_a_container_runs_an_image_of_the_repository(tmp_path: Path, run: Run) -> None:
    committed(tmp_path / "origin", {"which": "main"})
    build, container = of_docker(run("main", container=BUILT))
    assert build == ["build", "--file", "deploy/Dockerfile", "--tag", "infperf", "."]
    assert container[container.index("infperf:/var/cache/infperf") + 3] == "infperf"
    assert (tmp_path / "opt/infperf/which").read_text() == "main"


@pytest.mark.parametrize("name", ["; rm -rf /", "--privileged", "a b"])
def test_the_name_of_an_image_is_one(planned: Planned, name: str) -> None:
    with pytest.raises(UserError, match=r"--container .*: specify an image"):
        planned(container=name)
