"""The examples of docs/ci.md: their YAML parses, and the commands and inputs in them exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_infperf import cli, options

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/ci.md").read_text("utf-8")
GITHUB, GITLAB = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = sorted(set(re.findall(r"^(?:\$| *-)? *(infperf [^\n]+)$", TEXT, re.MULTILINE)))


def scripts() -> Iterator[str]:
    job = yaml.safe_load(GITLAB)["infperf"]
    for part in ("before_script", "script", "after_script"):
        yield from job[part]
    yield from (
        step["run"] for step in yaml.safe_load(GITHUB)["jobs"]["infperf"]["steps"] if "run" in step
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_infperf_exists_with_its_options(command: str) -> None:
    name, *arguments = shlex.split(command)[1:]
    assert name in cli.COMMANDS
    parser = ArgumentParser(exit_on_error=False)
    import_module(f"pytest_infperf.cli.{name}").configure(parser)
    parser.parse_args(arguments)


def test_the_commands_of_the_docs_are_found() -> None:
    assert {command.split()[1] for command in COMMANDS} == {"comment", "history", "report"}
    assert any("--code-quality" in command for command in COMMANDS)


@pytest.mark.parametrize("script", list(scripts()))
def test_a_script_is_one_that_bash_parses(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_the_options_of_pytest_exist() -> None:
    used = set(re.findall(r"--infperf[\w-]*", GITLAB))
    assert {"--infperf", "--infperf-against", "--infperf-json"} <= used
    known: set[str] = set()

    class Group:
        def addoption(self, name: str, **_: Any) -> None:
            known.add(name)

    class Parser:
        def getgroup(self, *_: str) -> Group:
            return Group()

        def addini(self, *_: Any, **__: Any) -> None:
            pass

    options.add(Parser())  # type: ignore[arg-type]
    assert used <= known


def test_gitlab_gets_the_files_that_the_job_writes() -> None:
    artifacts = yaml.safe_load(GITLAB)["infperf"]["artifacts"]
    written = " ".join(scripts())
    for name in [*artifacts["paths"], *artifacts["reports"].values()]:
        assert re.search(rf"[ =]{re.escape(name)}", written), name


def test_the_workflow_gives_inputs_that_the_action_has_and_the_same_pins() -> None:
    action = (ROOT / "action.yml").read_text("utf-8")
    workflows = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))
    document = yaml.safe_load(GITHUB)
    assert document["permissions"] == {"contents": "read"}
    for step in document["jobs"]["infperf"]["steps"]:
        uses = step.get("uses", "")
        if uses.startswith("pytest-infperf/"):
            assert step["with"].keys() <= yaml.safe_load(action)["inputs"].keys()
            assert step["with"]["comment"] is True
        elif uses:
            assert uses in workflows


def test_the_extras_of_the_examples_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    installed = re.findall(r"pytest-infperf\[([\w,-]+)\]", GITHUB + GITLAB)
    assert len(installed) == 2
    used = {extra for extras in installed for extra in extras.split(",")}
    assert used <= project["optional-dependencies"].keys()
