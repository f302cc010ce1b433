"""Variants that are built and run by an interpreter of another environment."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import pytest

from pytest_infperf.cli import main
from pytest_infperf.serving.server.settings import ENVIRONMENT
from tests.environments import install, make_environment, uninstall
from tests.plugin.small_project import Project
from tests.plugin.test_against import commit

SUITE = """
    from importlib.metadata import version
    from typing import ClassVar

    from pytest_infperf import ClosedLoop, Echo, Fake, Slowed, Suite

    class Runtime(Fake):
        requires: ClassVar[tuple[str, ...]] = ("infperf-runtime",)

        def build(self, material, folder):
            super().build(material, folder)
            return {"built_with": version("infperf-runtime")}

        def load(self, artifact, task, threads):
            version("infperf-runtime")
            return super().load(artifact, task, threads)

    suite = Suite(
        "echo",
        task=Echo(count=10),
        model="../../model",
        baseline="here",
        variants=[
            Fake(id="here", query_ms=0.5),
            Runtime(id="there", query_ms=0.5, python="env/bin/python"),
            Slowed(Runtime(python="env/bin/python"), by=1.0, id="slowed"),
        ],
        loads=[ClosedLoop(1, requests=10)],
    )
"""


@pytest.fixture
def apart(project: Project) -> Project:
    """Return a project whose variant `there` has an environment with a package of its own."""
    project.suite(SUITE)
    make_environment(environment(project), infperf_runtime="1.0")
    return project


def environment(project: Project) -> Path:
    return project.folder / "suites/echo/env"


def test_a_variant_is_built_and_run_in_its_environment(apart: Project) -> None:
    apart.only_tests_of("footprint", "quality")
    apart.thresholds("[echo.gates]\naccuracy = { min = 100 }\n")
    result = apart.measure()
    result.assert_outcomes(passed=6)
    record = result.record("there")
    assert record["evidence"]["built_with"] == "1.0"
    assert record["settings"]["python"] == "env/bin/python"
    libraries = record["settings"]["libraries"]
    assert libraries["infperf-runtime"] == "1.0"
    assert libraries["python"] == platform.python_version()
    assert "infperf-runtime" not in result.document["host"]["libraries"]
    assert result.record("slowed")["settings"]["python"] == "env/bin/python"
    assert {"python", "libraries"}.isdisjoint(result.record("here")["settings"])


def test_another_version_in_the_environment_is_built_anew(apart: Project) -> None:
    apart.only_tests_of("footprint")
    for version in ("1.0", "2.0"):
        if version == "2.0":
            uninstall(environment(apart), "infperf-runtime", "1.0")
            install(environment(apart), "infperf-runtime", "2.0")
        result = apart.measure("--infperf-variants=there")
        result.assert_outcomes(passed=1)
        record = result.record("there")
        assert record["evidence"]["built_with"] == version
        assert record["settings"]["libraries"]["infperf-runtime"] == version


def test_an_environment_without_the_required_package_is_refused(apart: Project) -> None:
    uninstall(environment(apart), "infperf-runtime", "1.0")
    apart.only_tests_of("footprint")
    result = apart.measure("--infperf-variants=there")
    result.assert_outcomes(errors=1)
    python = environment(apart) / "bin/python"
    assert (
        "Runtime needs infperf-runtime, which is not installed: "
        f"{python} -m pip install infperf-runtime"
    ) in result.message("test_footprint[there]")


def test_a_missing_interpreter_is_an_error_of_its_variant(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        suite = Suite(
            "echo",
            task=Echo(count=10),
            model="../../model",
            variants=[Fake(), Fake(id="there", python="no/bin/python")],
        )
        """
    )
    project.only_tests_of("footprint")
    result = project.measure()
    assert result.outcomes() == {"test_footprint[fake]": "passed", "test_footprint[there]": "error"}
    assert "python='no/bin/python': there is no file" in result.message("test_footprint[there]")


def test_a_module_that_only_the_other_environment_lacks(apart: Project) -> None:
    load = 'version("infperf-runtime")\n            return super'
    assert load in SUITE
    apart.suite(SUITE.replace(load, "import nothing\n            return super"))
    apart.only_tests_of("footprint")
    result = apart.measure("--infperf-variants=there")
    result.assert_outcomes(errors=1)
    python = environment(apart) / "bin/python"
    message = result.message("test_footprint[there]")
    assert f"No module named 'nothing' (in the environment of {python}: install it" in message


def test_both_revisions_use_the_environment(apart: Project) -> None:
    apart.only_tests_of("latency")
    apart.thresholds('[echo.variants.there]\nregression = { max = "200 %" }\n')
    apart.write(".gitignore", "env/\n/junit.xml\n/infperf.json\n__pycache__\n")
    commit(apart)
    result = apart.measure("--infperf-against=HEAD", "--infperf-variants=there")
    assert result.outcomes() == {"test_latency[there]": "passed"}, result.text
    assert "regression" in result.record("there")["measures"]


def test_a_server_runs_in_the_environment(apart: Project) -> None:
    apart.tests('def test_load(variant): variant.load("users=1-10").check()\n')
    result = apart.measure("--infperf-variants=there")
    result.assert_outcomes(passed=1)
    load = result.record("there")["evidence"]["loads"]["users=1-10"]
    assert (load["answered"], load["errors"]) == (10, {})


def test_infperf_serve_starts_the_interpreter(
    apart: Project, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.chdir(apart.folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    started: list[tuple[str, list[str], dict[str, str]]] = []

    def replace_process(python: str, arguments: list[str], variables: dict[str, str]) -> None:
        started.append((python, arguments, variables))
        raise SystemExit

    monkeypatch.setattr(os, "execve", replace_process)
    with pytest.raises(SystemExit):
        main(["serve", "suites/echo", "--variant", "there", "--port", "0"])
    [(python, arguments, variables)] = started
    assert python == str(environment(apart) / "bin/python")
    assert arguments == [python, "-m", "pytest_infperf.serving.server"]
    own = Path(__file__).parents[2]
    assert str(own) in variables["PYTHONPATH"].split(os.pathsep)
    assert json.loads(variables[ENVIRONMENT])["variant"] == "there"
