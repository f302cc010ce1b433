"""The examples in README and docs/ work as they stand there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from pytest_infperf import options, thresholds
from pytest_infperf.records.catalogue import UNDER_LOAD, Catalogue, Method, quality_spec
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.suite.discovery import suite_beside
from pytest_infperf.thresholds import SuiteFacts
from tests.other_plugins import LEFT_OUT

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
METRICS = Catalogue((quality_spec("bleu", "points", True), quality_spec("chrf", "points", True)))


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text("utf-8")):
            if found["language"] == language:
                yield page.name, found["text"]


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")))
def test_thresholds_fit_the_shipped_suites(page: str, text: str) -> None:
    parsed = thresholds.parse(text, page)
    parsed.check({name: facts_of(name) for name in parsed.suites}, [])
    assert any(gates for section in parsed.suites.values() for _, gates in section.gate_tables())


def facts_of(name: str) -> SuiteFacts:
    addresses = [suite_beside(path, ROOT) for path in ROOT.glob("suites/**/suite.py")]
    [address] = [address for address in addresses if address.load().name == name]
    collected = ConfiguredSuite(address.load(), address, None)
    return SuiteFacts(
        variants=collected.suite.variant_ids,
        catalogue=collected.catalogue,
        measured_by=get_args(Method),
        baseline=collected.suite.baseline,
    )


def test_the_readme_shows_a_part_of_the_shipped_suite() -> None:
    sys.path.insert(0, str(ROOT))
    from suites.translation.suite import suite as shipped

    (text,) = [text for page, text in blocks("python") if page == "README.md"]
    names: dict[str, Any] = {}
    exec(text, names)
    shown = names["suite"]
    assert (shown.task, shown.model, shown.threads) == (
        shipped.task,
        shipped.model,
        shipped.threads,
    )
    assert set(shown.variants) < set(shipped.variants)


def test_the_backend_of_the_docs_runs(pytester: pytest.Pytester) -> None:
    (text,) = [text for page, text in blocks("python") if page == "extending.md"]
    pytester.makeini("[pytest]")
    pytester.mkdir("shouting")
    (pytester.path / "shouting" / "model").mkdir()
    (pytester.path / "shouting" / "suite.py").write_text(text)
    (pytester.path / "shouting" / "test_it.py").write_text(
        "def test_quality(variant):\n    variant.quality().check()\n"
    )
    pytester.runpytest_subprocess(*LEFT_OUT, "--infperf").assert_outcomes(passed=2)


def test_the_loads_of_the_docs_run(pytester: pytest.Pytester) -> None:
    suite, tests = [text for page, text in blocks("python") if page == "serving.md"]
    pytester.makeini("[pytest]")
    pytester.mkdir("served")
    (pytester.path / "served" / "model").mkdir()
    (pytester.path / "served" / "suite.py").write_text(suite.replace("=10", "=1"))
    (pytester.path / "served" / "test_echo.py").write_text(tests)
    pytester.runpytest_subprocess(*LEFT_OUT, "--infperf", "-k", "users").assert_outcomes(passed=1)


def test_every_option_is_described_in_the_readme() -> None:
    readme = PAGES[0].read_text("utf-8")
    flags = [option.flag for option in options.OPTIONS.values()]
    assert [flag for flag in flags if f"`{flag}" not in readme] == []


def test_every_measure_is_described() -> None:
    page = (ROOT / "docs" / "thresholds.md").read_text("utf-8")
    names = (*METRICS.names(), *UNDER_LOAD)
    assert [name for name in names if name not in page] == []
