"""Backends, tasks, metrics and host facts of another package: in a suite, and through hooks."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_infperf import hookspecs
from tests.plugin.small_project import Project

ACME = Path(__file__).with_name("acme")
LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789"


def install_acme(project: Project) -> None:
    """Write what `pip install acme-inference` installs: importable code and entry points."""
    about = tomllib.loads((ACME / "pyproject.toml").read_text())["project"]
    metadata = f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
    installed = f"site/acme_inference-{about['version']}.dist-info"
    project.write(f"{installed}/METADATA", metadata)
    points = [
        line
        for group, named in about["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in named.items()))
    ]
    project.write(f"{installed}/entry_points.txt", "\n".join(points) + "\n")
    path = f"{project.folder / 'site'}:{ACME}"
    project.environment["PYTHONPATH"] = path
    project.write("model/letters.txt", LETTERS)


@pytest.fixture
def with_acme(project: Project) -> Project:
    install_acme(project)
    return project


def test_a_suite_can_use_the_backend_task_and_metric_of_another_package(with_acme: Project) -> None:
    with_acme.suite(
        """
        from acme_inference import Acme, Mirroring
        from pytest_infperf import Suite

        suite = Suite(
            "mirroring",
            task=Mirroring(texts="texts.txt"),
            model="../../model",
            variants=[Acme(), Acme(int8=True), Acme(id="pinned", cpus=(0,), threads=1)],
            baseline="acme",
        )
        """
    )
    with_acme.write("suites/echo/texts.txt", "one and two\nthree\nFour\n")
    with_acme.thresholds(
        """
        [mirroring.gates]
        length_ratio = { min = 99, max_drop = 1 }
        accuracy = { min = 60 }
        [mirroring.variants.acme-int8]
        size = { max_ratio = 0.5 }
        """
    )
    with_acme.only_tests_of("quality", "footprint")
    result = with_acme.measure("--infperf-full")
    result.assert_outcomes(passed=6)
    int8 = result.record("acme-int8", "mirroring")
    assert int8["measures"]["length_ratio"]["value"] == 100
    assert int8["measures"]["accuracy"]["value"] == pytest.approx(100 * 2 / 3)  # no capital F
    assert int8["settings"]["decoding"] == {"direction": "right to left"}
    assert int8["settings"]["threads"] == 2
    assert int8["evidence"]["quantised_entries"] == len(LETTERS)
    assert int8["evidence"]["doubts"] == ["a table of 8 bits is read as slowly as one of 32"]
    assert int8["evidence"]["signatures"]["length_ratio"] == "characters"
    pinned = result.record("pinned", "mirroring")
    assert (pinned["settings"]["cpus"], pinned["settings"]["threads"]) == ([0], 1)


def test_hooks_add_variants_and_metrics_to_every_suite(with_acme: Project) -> None:
    with_acme.only_tests_of("quality", "footprint")
    with_acme.thresholds(
        """
        [echo.gates]
        length_ratio = { min = 99 }
        [echo.variants.acme-int8]
        size = { max = "1 B" }
        """
    )
    result = with_acme.measure("-k", "slow or acme")
    assert result.outcomes() == {
        "test_quality[slow]": "passed",
        "test_footprint[slow]": "passed",
        "test_quality[acme-int8]": "passed",
        "test_footprint[acme-int8]": "failed",
    }
    assert result.measure("slow", "length_ratio")["value"] == 100
    assert result.record("acme-int8")["evidence"]["quantised_entries"] == len(LETTERS)
    assert result.document["host"]["acme_license"] == "trial"


def test_a_variant_of_a_hook_needs_a_unique_name(with_acme: Project) -> None:
    suite = with_acme.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace('id="fast"', 'id="acme-int8"'))
    result = with_acme.plain("--infperf", "--collect-only")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "several variants have the name acme-int8" in result.words


def test_a_model_that_a_backend_cannot_use_is_a_clear_error(with_acme: Project) -> None:
    (with_acme.folder / "model/letters.txt").unlink()
    with_acme.only_tests_of("footprint")
    result = with_acme.measure("-k", "acme or fast")
    assert result.outcomes() == {
        "test_footprint[fast]": "passed",
        "test_footprint[acme-int8]": "error",
    }
    message = result.message("test_footprint[acme-int8]")
    assert "is no model for Acme: it has no letters.txt" in message


def test_a_missing_package_is_an_error_with_the_command_to_install_it(project: Project) -> None:
    project.suite(
        """
        from typing import ClassVar
        from pytest_infperf import Echo, Fake, Suite

        class Rented(Fake):
            requires: ClassVar[tuple[str, ...]] = ("rented-runtime",)

        class Ours(Rented):
            extra: ClassVar[str | None] = "rented"

        variants = [Rented(id="theirs"), Ours(id="ours"), Fake()]
        suite = Suite("echo", task=Echo(), model="../../model", variants=variants)
        """
    )
    project.only_tests_of("footprint")
    result = project.measure()
    result.assert_outcomes(passed=1, errors=2)
    for name, command in (
        ("theirs", "Rented needs rented-runtime, which is not installed: pip install rented-"),
        ("ours", 'which is not installed: pip install "pytest-infperf[rented]"'),
    ):
        assert command in result.message(f"test_footprint[{name}]")


def examples() -> list[tuple[str, str]]:
    """Return the name of each hook and the example in its docstring."""
    hooks = inspect.getmembers(hookspecs, inspect.isfunction)
    code_by_hook = []
    for name, hook in hooks:
        if name.startswith("pytest_"):
            block = re.search(r"\.\. code-block:: python\n\n(.*)", inspect.getdoc(hook) or "", re.S)
            assert block, f"{name} has no example"
            code_by_hook.append((name, dedent(block[1])))
    return code_by_hook


def test_the_examples_of_the_hooks_work(with_acme: Project) -> None:
    """All examples run together, with the suite that they name."""
    names = [name for name, _ in examples()]
    assert names == [
        "pytest_infperf_host_facts",
        "pytest_infperf_metrics",
        "pytest_infperf_variants",
    ]
    with_acme.write("conftest.py", "\n".join(code for _, code in examples()))
    suite = with_acme.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace('"echo"', '"translation"'))
    with_acme.only_tests_of("quality")
    with_acme.environment["RACK"] = "B12"
    result = with_acme.measure("-k", "acme or slow")
    result.assert_outcomes(passed=2, deselected=2)
    record = result.record("acme-int8", "translation")
    assert record["measures"]["length_ratio"]["value"] == 100
    assert result.document["host"]["rack"] == "B12"
