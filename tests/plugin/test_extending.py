"""Others' backends, tasks, metrics and host facts: in a suite directly, and through hooks."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_infperf import hookspecs
from tests.plugin.small_project import Project

ACME = Path(__file__).parents[1] / "acme"
LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789"


def put_acme_on_the_path(project: Project) -> None:
    """What `pip install acme-inference` leaves: code that can be imported, and its entry points."""
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
    put_acme_on_the_path(project)
    return project


def test_a_suite_can_be_made_of_anothers_parts(with_acme: Project) -> None:
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


def test_hooks_add_to_a_suite_of_someone_else(with_acme: Project) -> None:
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


def test_what_a_hook_adds_needs_a_name_of_its_own(with_acme: Project) -> None:
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


def test_a_package_that_is_missing_is_named_with_what_to_install(project: Project) -> None:
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
    """The code of each hook's docstring."""
    hooks = inspect.getmembers(hookspecs, inspect.isfunction)
    found = []
    for name, hook in hooks:
        if name.startswith("pytest_"):
            block = re.search(r"\.\. code-block:: python\n\n(.*)", inspect.getdoc(hook) or "", re.S)
            assert block, f"{name} has no example"
            found.append((name, dedent(block[1])))
    return found


def test_the_examples_of_the_hooks_work_as_they_stand(with_acme: Project) -> None:
    """All at once, on the suite that they speak of."""
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
