"""The action and the workflows: well formed, and the shell of their steps works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_infperf.artifacts import cache as cache_module
from pytest_infperf.records import file as record_file
from tests.cli.comment.platform_server import TOKEN, serving
from tests.history.saved import run_record, write_benchmark_file

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
TEMPLATE = ROOT / "pytest_infperf/cli/init/templates/inference.yml"
WORKFLOWS = [*sorted((ROOT / ".github/workflows").glob("*.yml")), TEMPLATE]
SUITE = """
from pytest_infperf import Echo, Fake, Suite
suite = Suite("echo", task=Echo(count=40), model="model", variants=[Fake(id="only")])
"""


def read(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return document


def steps(path: Path) -> Iterator[dict[str, Any]]:
    document = read(path)
    if path == ACTION:
        yield from document["runs"]["steps"]
    for job in document.get("jobs", {}).values():
        yield from job["steps"]


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_every_step_is_a_pinned_action_or_a_shell_that_parses(path: Path) -> None:
    found = list(steps(path))
    assert found
    for step in found:
        if "uses" in step:
            continue
        # What GitHub fills in before the shell sees it must not come from a stranger's text.
        assert "${{" not in step["run"], "pass it through env: text in a script is code"
        subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


def pin_of(action: str, line: str) -> str | None:
    """Return the commit and the version of an action of others; None without both."""
    found = re.search(rf"{re.escape(action)}@([0-9a-f]{{40}}) # (v\d+\.\d+\.\d+)$", line)
    return " ".join(found.groups()) if found else None


def test_actions_of_others_are_pinned_by_commit_with_their_version() -> None:
    pins: dict[str, set[str | None]] = {}
    for path in (ACTION, *WORKFLOWS):
        for line in path.read_text("utf-8").splitlines():
            if found := re.search(r"uses: ((?!\./|pytest-infperf/)[\w-]+/[\w-]+[\w/-]*)@", line):
                repository = "/".join(found[1].split("/")[:2])
                pins.setdefault(repository, set()).add(pin_of(found[1], line))
    assert {"actions/checkout", "actions/cache", "actions/upload-artifact"} <= pins.keys()
    assert all(len(versions) == 1 and None not in versions for versions in pins.values()), pins


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_ask_for_no_more_rights_than_reading(path: Path) -> None:
    document = read(path)
    assert document["permissions"] == {"contents": "read"}
    asked = {
        name: job["permissions"] for name, job in document["jobs"].items() if "permissions" in job
    }
    for name, permissions in asked.items():
        job = document["jobs"][name]
        assert job["runs-on"] == "ubuntu-latest", "no runner of our own gets a token that can write"
        if any("infperf comment" in step.get("run", "") for step in job["steps"]):
            assert permissions == {"contents": "read", "pull-requests": "write"}
        else:
            assert any("gh-action-pypi-publish" in step.get("uses", "") for step in job["steps"])
            assert permissions == {"id-token": "write", "attestations": "write"}
            assert job["environment"]["name"] == "pypi"


def test_the_template_offers_the_comment_with_its_permission() -> None:
    job = yaml.safe_load(
        re.sub(r"^( +)# (permissions:|  [\w-]+: (?:read|write)$|comment: )", r"\1\2",
               TEMPLATE.read_text("utf-8"), flags=re.M)
    )["jobs"]["infperf"]  # fmt: skip
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert job["steps"][-1]["with"]["comment"] is True
    assert "comment" in read(ACTION)["inputs"]


def test_inputs_of_the_action_are_those_that_it_reads() -> None:
    text = ACTION.read_text("utf-8")
    declared = set(read(ACTION)["inputs"])
    assert set(re.findall(r"inputs\.(\w+)", text)) == declared
    ours = ("./", "pytest-infperf/pytest-infperf@")
    given = [
        set(step["with"])
        for path in WORKFLOWS
        for step in steps(path)
        if step.get("uses", "").startswith(ours)
    ]
    assert given, "a workflow uses the action"
    assert set().union(*given) <= declared


def caching(action: str) -> dict[str, dict[str, Any]]:
    """The steps of the action that restore or save a cache, by the path of the cache."""
    return {
        step["with"]["path"]: step
        for step in steps(ACTION)
        if step.get("uses", "").startswith(f"actions/{action}@")
    }


def test_a_second_attempt_has_a_history_of_its_own_to_save() -> None:
    saved, restored = (caching(f"cache/{what}")[".benchmarks"] for what in ("save", "restore"))
    assert "${{ github.run_id }}-${{ github.run_attempt }}" in saved["with"]["key"]
    assert saved["with"]["key"] == restored["with"]["key"]


def test_variants_are_saved_where_others_were_built_and_never_by_a_pull_request() -> None:
    assert not caching("cache"), "it saves at the end of every job"
    saved = caching("cache/save")[".infperf_cache"]
    condition = saved["if"]
    assert "!startsWith(github.event_name, 'pull_request')" in condition
    built = "hashFiles('.infperf_cache/*/infperf-artifact.json')"
    assert saved["with"]["key"].endswith(":${{ " + built + " }}")
    restored = caching("cache/restore")[".infperf_cache"]
    assert f"steps.{restored['id']}.outputs.cache-matched-key != format(" in condition
    assert cache_module._MANIFEST in built


@pytest.mark.parametrize("path", [".benchmarks", ".infperf_cache"])
def test_no_name_restores_the_cache_of_another(path: str) -> None:
    """A prefix that ends with the name would also match longer names."""
    step = caching("cache/restore")[path]["with"]
    prefix = step["restore-keys"]
    assert prefix.endswith("${{ inputs.name }}:")
    assert step["key"].startswith(prefix)
    assert caching("cache/save")[path]["with"]["key"].startswith(prefix)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "suites/model").mkdir(parents=True)
    (tmp_path / "suites/suite.py").write_text(SUITE)
    (tmp_path / "suites/test_it.py").write_text(
        "def test_latency(variant):\n    variant.latency().check()\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True)
    return tmp_path


def step_of(name: str) -> dict[str, Any]:
    [found] = [step for step in steps(ACTION) if step.get("name") == name]
    return found


def run_step(name: str, folder: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run the shell of a step as GitHub does, with the values of its variables."""
    step = step_of(name)
    assert set(re.findall(r"\$(INFPERF_\w+)", step["run"])) == set(step["env"]) - {"GITHUB_TOKEN"}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "GIT"))}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={**inherited, "INFPERF_PYTHON": sys.executable, **given},
        capture_output=True,
        text=True,
        check=False,
    )


def test_with_a_url_the_history_is_in_no_cache() -> None:
    for step in (step_of("Restore the history"), step_of("Save the history")):
        assert "inputs.history == ''" in step["if"]
    for step in (step_of("Pull the history"), step_of("Push the history")):
        assert "inputs.history != ''" in step["if"]


def test_the_history_is_pushed_and_pulled(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", "origin"], cwd=tmp_path, check=True)
    for name in ("one", "two"):
        subprocess.run(["git", "clone", "-q", "origin", name], cwd=tmp_path, check=True)
    write_benchmark_file(tmp_path / "one/.benchmarks", 1, run_record())
    url = "git+branch:infperf-history"
    for name, folder in (("Push", "one"), ("Pull", "two")):
        done = run_step(f"{name} the history", tmp_path / folder, INFPERF_HISTORY=url)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "two/.benchmarks").glob("*/*.json"))) == 1


def test_the_results_are_written_as_a_comment(tmp_path: Path) -> None:
    step = step_of("Comment on the pull request")
    assert "inputs.comment == 'true'" in step["if"]
    assert step["env"]["GITHUB_TOKEN"] == "${{ inputs.token }}"
    (tmp_path / "event.json").write_text('{"pull_request": {"number": 7}}')
    record_file.write(tmp_path / "infperf-results/record.json", run_record())
    with serving("github") as platform:
        done = run_step(
            "Comment on the pull request",
            tmp_path,
            INFPERF_NAME="c7i.large",
            INFPERF_REPORT="https://example.org/artifact",
            GITHUB_TOKEN=TOKEN,
            GITHUB_REPOSITORY="shop/search",
            GITHUB_API_URL=platform.url,
            GITHUB_EVENT_PATH=str(tmp_path / "event.json"),
        )
    assert done.returncode == 0, done.stdout + done.stderr
    [comment] = platform.comments
    assert comment["body"].startswith("<!-- pytest-infperf: c7i.large -->\n")
    assert comment["body"].endswith("[Report](https://example.org/artifact)\n")


def test_the_actions_own_step_measures_saves_and_reports(project: Path) -> None:
    done = run_step(
        "Measure",
        project,
        INFPERF_PATH="suites",
        INFPERF_AGAINST="HEAD",
        INFPERF_ARGS="--infperf-budget 0.2 -q",
        INFPERF_SAVE="true",
        GITHUB_STEP_SUMMARY=str(project / "summary.md"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = project / "infperf-results"
    assert {path.name for path in results.iterdir()} == {"record.json", "report.html", "junit.xml"}
    record = json.loads((results / "record.json").read_text())
    assert record["against"]["name"] == "HEAD"
    assert len(list((project / ".benchmarks").glob("*/*.json"))) == 1
    assert "## Inference" in (project / "summary.md").read_text()
