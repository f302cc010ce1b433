"""Without --infperf: suites are skipped, and the installed plugin imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.other_plugins import LEFT_OUT
from tests.plugin.small_project import METHODS, Project

HEAVY = ("torch", "transformers", "onnxruntime", "scipy", "numpy", "pydantic", "rich", "sacrebleu")

REPORTS_IMPORTS = """
    import sys

    def pytest_unconfigure():
        print("imported:", *sorted(sys.modules), sep=" ")
"""


def test_each_test_of_a_suite_is_skipped_once_with_the_reason(project: Project) -> None:
    result = project.plain("-rs")
    result.assert_outcomes(skipped=len(METHODS))
    assert "inference is measured with --infperf only" in result.words
    assert set(result.outcomes()) == {f"test_{method}" for method in METHODS}


def test_tests_without_variant_run_beside_a_suite(project: Project) -> None:
    project.tests("def test_arithmetic(): assert 1 + 1 == 2", "suites/echo/test_other.py")
    project.plain().assert_outcomes(passed=1, skipped=len(METHODS))


def test_suites_are_not_imported(project: Project) -> None:
    project.suite("raise RuntimeError('imported')")
    project.plain().assert_outcomes(skipped=len(METHODS))


def test_nothing_heavy_is_imported(project: Project) -> None:
    project.write("conftest.py", REPORTS_IMPORTS)
    # Other plugins, such as pytest-benchmark, import what the plugin does not.
    project.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    result = project.plain("-p", "pytest_infperf.plugin", "-s")
    modules = next(line for line in result.outlines if "imported:" in line).split()
    assert "pytest_infperf.plugin" in modules
    assert not set(modules) & set(HEAVY)
    assert "pytest_infperf.session.session" not in modules


def test_the_public_names_import_nothing_heavy() -> None:
    program = "import sys, pytest_infperf; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    modules = set(done.stdout.split())
    assert "pytest_infperf" in modules, done.stderr
    assert not modules & set(HEAVY)


def test_a_public_name_that_does_not_exist_is_an_attribute_error() -> None:
    import pytest_infperf

    with pytest.raises(AttributeError, match="Tensorflow"):
        _ = pytest_infperf.Tensorflow


def test_the_marker_is_registered_and_selects_with_and_without_infperf(project: Project) -> None:
    project.tests("def test_arithmetic(): pass", "test_other.py")
    for arguments, outcomes in (
        (["-m", "infperf"], {"skipped": len(METHODS), "deselected": 1}),
        (["-m", "not infperf"], {"passed": 1, "deselected": len(METHODS)}),
    ):
        project.plain("--strict-markers", *arguments).assert_outcomes(**outcomes)
    project.only_tests_of("footprint")
    result = project.measure("--strict-markers", "-m", "infperf")
    result.assert_outcomes(passed=3, deselected=1)
    assert project.pytester
    markers = project.pytester.runpytest_inprocess(*LEFT_OUT, "--markers")
    markers.stdout.fnmatch_lines(["@pytest.mark.infperf(calls): measures inference*"])


def test_the_infperf_fixture_alone_is_skipped_too(project: Project) -> None:
    project.tests("def test_host(infperf): assert infperf.host['logical_cores']", "test_host.py")
    project.plain("test_host.py").assert_outcomes(skipped=1)
    project.measure("test_host.py").assert_outcomes(passed=1)


def test_the_help_names_every_option(project: Project) -> None:
    text = project.plain("--help").text
    for name in (
        "thresholds",
        "json",
        "budget",
        "full",
        "variants",
        "baseline",
        "threads",
        "cache",
        "seed",
        "timeout",
    ):
        assert f"--infperf-{name}" in text
        assert f"infperf_{name}" in text


def test_a_users_fixture_or_parameter_named_variant_is_kept(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.fixture
        def variant():
            return "mine"

        def test_fixture(variant):
            assert variant == "mine"

        @pytest.mark.parametrize("variant", ["left", "right"])
        def test_parameter(variant):
            assert variant in ("left", "right")
        """,
        "test_own.py",
    )
    project.plain("test_own.py").assert_outcomes(passed=3)
    result = project.measure_here("test_own.py", "--strict-markers", "-m", "not infperf")
    result.assert_outcomes(passed=3)


def test_a_variant_fixture_that_uses_the_plugins_is_measured(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.fixture
        def variant(variant):
            return [variant]

        def test_footprint(variant):
            variant[0].footprint().check()
        """
    )
    project.measure_here().assert_outcomes(passed=3)
