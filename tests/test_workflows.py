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
def test_every_step_is_an_action_of_a_version_or_a_shell_that_parses(path: Path) -> None:
    found = list(steps(path))
    assert found
    for step in found:
        if "uses" in step:
            assert step["uses"].startswith("./") or re.search(r"@v\d", step["uses"]), step
            continue
        # What GitHub fills in before the shell sees it must not come from a stranger's text.
        assert "${{" not in step["run"], "pass it through env: text in a script is code"
        subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_ask_for_no_more_rights_than_reading(path: Path) -> None:
    assert read(path)["permissions"] == {"contents": "read"}


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
    """A prefix that ends with the name would also match a name that begins with it."""
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


def test_the_actions_own_step_measures_saves_and_reports(project: Path) -> None:
    (step,) = [step for step in steps(ACTION) if step.get("name") == "Measure"]
    assert set(re.findall(r"\$(INFPERF_\w+)", step["run"])) == set(step["env"])
    given = {
        "INFPERF_PYTHON": sys.executable,
        "INFPERF_PATH": "suites",
        "INFPERF_AGAINST": "HEAD",
        "INFPERF_ARGS": "--infperf-budget 0.2 -q",
        "INFPERF_SAVE": "true",
        "GITHUB_STEP_SUMMARY": str(project / "summary.md"),
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=project,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = project / "infperf-results"
    assert {path.name for path in results.iterdir()} == {"record.json", "report.html", "junit.xml"}
    record = json.loads((results / "record.json").read_text())
    assert record["against"]["name"] == "HEAD"
    assert len(list((project / ".benchmarks").glob("*/*.json"))) == 1
    assert "## Inference" in (project / "summary.md").read_text()
