"""Suites in folders with names of other packages, with every import mode of pytest."""

from __future__ import annotations

import os

import pytest

from tests.plugin.small_project import Project
from tests.plugin.test_against import commit

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    from .pace import QUERY_MS

    class Own(Fake):
        pass

    suite = Suite(
        "{name}",
        task=Echo(count=40),
        model="../../model",
        variants=[Own(id="own", query_ms=QUERY_MS)],
    )
"""
TEST = "def test_{name}(variant): variant.latency().check()\n"


@pytest.fixture
def project_of_taken_names(project: Project) -> Project:
    """A suite in `code`, and one in `tests`, which is also a package that is installed."""
    for path in sorted((project.folder / "suites/echo").iterdir()):
        path.unlink()
    for folder in ("code", "tests"):
        project.suite(SUITE.format(name=folder), f"{folder}/inner")
        project.write(f"{folder}/inner/pace.py", "QUERY_MS = 0.5\n")
        project.tests(TEST.format(name=folder), f"{folder}/inner/test_{folder}.py")
    project.write("installed/tests/__init__.py", "")
    paths = [str(project.folder / "installed"), os.environ.get("PYTHONPATH", "")]
    project.environment = {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    project.write(".gitignore", "/installed\n/junit.xml\n/infperf.json\n__pycache__\n")
    return project


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_suites_with_taken_names_are_measured(project_of_taken_names: Project, mode: str) -> None:
    result = project_of_taken_names.measure(f"--import-mode={mode}", budget_s=0.1)
    passed = {"test_code[own]": "passed", "test_tests[own]": "passed"}
    assert result.outcomes() == passed, result.text
    recipe = result.record("own", "code")["settings"]["recipe"]
    assert recipe["backend"] == "infperf_suites.code.inner.suite:Own"


def test_suites_with_taken_names_are_measured_at_another_revision(
    project_of_taken_names: Project,
) -> None:
    project = project_of_taken_names
    project.thresholds('[code.gates]\nregression = { max = "50 %" }\n')
    commit(project)
    project.write("code/inner/pace.py", "QUERY_MS = 1\n")
    result = project.measure("--infperf-against=HEAD", "code", budget_s=0.5)
    assert result.outcomes() == {"test_code[own]": "failed"}, result.text
    records = {record["suite"]: record for record in result.document["records"]}
    assert records["code"]["measures"]["regression"]["low"] > 0.5


def test_a_suites_own_name_still_leads_to_it(project: Project) -> None:
    """Tests import from the suite beside them, and get the same objects that are measured."""
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        class Own(Fake):
            pass

        suite = Suite("echo", task=Echo(), model="../../model", variants=[Own(id="own")])
        """
    )
    project.tests(
        """
        from suites.echo.suite import Own

        def test_own(variant, request):
            param = request.node.callspec.params["variant"]
            assert type(param.configured.suite.variant("own")) is Own
        """
    )
    for mode in ("prepend", "importlib"):
        result = project.measure("-o", "pythonpath=.", f"--import-mode={mode}")
        assert result.outcomes() == {"test_own[own]": "passed"}, result.text
