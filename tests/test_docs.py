"""The examples in README and docs/ work unchanged."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args
from unittest.mock import Mock

import pytest

from pytest_infperf import options, thresholds
from pytest_infperf.backends import onepass
from pytest_infperf.metrics import SHIPPED, metric
from pytest_infperf.records.catalogue import UNDER_LOAD, Catalogue, Method, quality_spec
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.session.benchmarks import BenchmarkTests
from pytest_infperf.settings import Settings
from pytest_infperf.suite.backend import Material
from pytest_infperf.suite.discovery import suite_beside
from pytest_infperf.thresholds import SuiteFacts
from tests.openai_server import openai_server
from tests.other_plugins import LEFT_OUT

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
METRICS = Catalogue(
    (quality_spec("bleu", "points", True), quality_spec("chrf", "points", True)), sweeps=["length"]
)
SERVED = Catalogue(points={"users=16": "load"}, generates=True, tokens_at=["users=16"])


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text("utf-8")):
            if found["language"] == language:
                yield page.name, found["text"]


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")))
def test_thresholds_fit_the_shipped_suites(page: str, text: str) -> None:
    parsed = thresholds.parse(text, page)
    facts = {
        name: facts_of_tests(name, parsed.suites[name].variants)
        if name.startswith("test_")
        else facts_of(name)
        for name in parsed.measured_suites
    }
    parsed.check(facts, [])
    for name in parsed.suites.keys() - facts:
        assert parsed.gates_for(name, "any", SERVED, (), None)
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


def facts_of_tests(name: str, tests: Iterable[str]) -> SuiteFacts:
    """Return the facts of a file whose tests take `infperf_benchmark`."""
    benchmarks = BenchmarkTests()
    for test in ["test_one", *tests]:
        benchmarks.add(Path(f"{name}.py"), f"{name}.py::{test}")
    return benchmarks.facts(Settings(ROOT), thresholds.Thresholds.empty())[name]


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


def test_the_graph_of_the_docs_runs(pytester: pytest.Pytester) -> None:
    for library in ("torch", "onnxruntime", "openvino"):
        if find_spec(library) is None:
            pytest.skip(f"needs {library}")
    *_, text = [text for page, text in blocks("python") if page == "extending.md"]
    names: dict[str, Any] = {}
    exec(text, names)
    shipped = ROOT / "suites" / "vision"
    pytester.makeini("[pytest]")
    folder = pytester.mkdir("digits")
    (folder / "export").mkdir()
    suite = names["suite"]
    onepass.export(Material(shipped / suite.model, suite.task, shipped), folder / "export")
    for part in ("data", "models"):
        (folder / part).symlink_to(shipped / part)
    (folder / "suite.py").write_text(text)
    (folder / "test_it.py").write_text(
        "def test_quality(variant):\n    variant.quality(batch=100).check()\n"
    )
    pytester.runpytest_subprocess(*LEFT_OUT, "--infperf").assert_outcomes(passed=4)


def test_the_backend_of_the_docs_runs(pytester: pytest.Pytester) -> None:
    _, _, text, _ = [text for page, text in blocks("python") if page == "extending.md"]
    pytester.makeini("[pytest]")
    pytester.mkdir("shouting")
    (pytester.path / "shouting" / "model").mkdir()
    (pytester.path / "shouting" / "suite.py").write_text(text)
    (pytester.path / "shouting" / "test_it.py").write_text(
        "def test_quality(variant):\n    variant.quality().check()\n"
    )
    pytester.runpytest_subprocess(*LEFT_OUT, "--infperf").assert_outcomes(passed=2)


def test_the_variant_for_neuron_devices_of_the_docs_is_skipped_without_one(
    pytester: pytest.Pytester,
) -> None:
    if Path("/dev/neuron0").exists():
        pytest.skip("this host has a Neuron device")
    [text] = [text for page, text in blocks("python") if page == "cost.md"]
    pytester.makeini("[pytest]")
    for folder in ("perf", "shop"):
        pytester.mkdir(folder)
    (pytester.path / "shop/inference.py").write_text(
        "def load(folder, threads):\n    return lambda texts: ['good' for _ in texts]\n"
    )
    (pytester.path / "perf/suite.py").write_text(text)
    (pytester.path / "perf/test_it.py").write_text(
        "def test_quality(variant):\n    variant.quality().check()\n"
    )
    result = pytester.runpytest_subprocess(*LEFT_OUT, "--infperf", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*this host has no Neuron device*"])


def test_the_function_of_the_docs_runs(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")
    code, suite, *_ = [text for page, text in blocks("python") if page == "extending.md"]
    for text in (code, suite):
        path = pytester.path / text.partition("\n")[0].removeprefix("# ")
        path.parent.mkdir()
        path.write_text(text)
    (pytester.path / "perf" / "test_it.py").write_text(
        "def test_quality(variant):\n    assert variant.quality()['accuracy'].value == 100\n"
    )
    pytester.runpytest_subprocess(*LEFT_OUT, "--infperf").assert_outcomes(passed=1)


def test_the_server_of_the_docs_is_gated_with_few_lines(pytester: pytest.Pytester) -> None:
    pytest.importorskip("httpx")
    page = (ROOT / "docs/generation.md").read_text("utf-8")
    section = page.partition("\n## Servers that generate text")[2].partition("\n## ")[0]
    suite, tests, limits = [found["text"] for found in BLOCK.finditer(section)]
    lines = [line for text in (suite, tests, limits) for line in text.splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) < 15
    pytester.makeini("[pytest]")
    pytester.mkdir("perf")
    with openai_server() as server:
        for name, text in {
            "perf/suite.py": suite.replace("http://localhost:8000/v1", server.url),
            "perf/test_assistant.py": tests,
            "perf/prompts.jsonl": '{"prompt": "Say hello", "reference": "Hello there"}\n',
            "thresholds.toml": limits.replace(" ms", " s"),  # a busy host is slow
        }.items():
            (pytester.path / name).write_text(text)
        result = pytester.runpytest_subprocess(*LEFT_OUT, "--infperf", "--infperf-budget=10")
    result.assert_outcomes(passed=2)


OWN_TASKS = (ROOT / "docs" / "own_task.md").read_text("utf-8").split("\n## ")[1:]


@pytest.mark.parametrize(("section", "tests"), [*zip(OWN_TASKS, (4, 4, 2), strict=True)])
def test_the_tasks_of_the_docs_run(section: str, tests: int, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")
    for block in BLOCK.finditer(section):
        path = pytester.path / block["text"].partition("\n")[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["text"], "utf-8")
    for script in pytester.path.glob("*.py"):
        assert pytester.runpython(script).ret == 0
    outcome = pytester.runpytest_subprocess(*LEFT_OUT, "--infperf", "--infperf-budget=0.5")
    outcome.assert_outcomes(passed=tests)


def test_the_tutorial_measures_its_model_and_catches_a_broken_limit(
    pytester: pytest.Pytester,
) -> None:
    """The suite is that of `infperf init`, which measures for longer than a test may take."""
    pytest.importorskip("sklearn")
    pytester.makeini("[pytest]\npythonpath = .")
    shutil.copy(ROOT / "examples/csv_classifier/messages.csv", pytester.path)
    train, fast, slow = [text for page, text in blocks("python") if page == "tutorial.md"]
    for folder in ("spam", "suites/spam"):
        (pytester.path / folder).mkdir(parents=True)
    (pytester.path / "spam/train.py").write_text(train)
    assert pytester.runpython(pytester.path / "spam/train.py").ret == 0
    (pytester.path / "suites/spam/suite.py").write_text(
        "from pytest_infperf import Function, Suite, TextClassification\n"
        "suite = Suite('spam', variants=[Function('spam.inference:load')],\n"
        "    task=TextClassification(data='../../test.csv', text='message', label='kind'))\n"
    )
    (pytester.path / "suites/spam/test_spam.py").write_text(
        "def test_quality(variant):\n    variant.quality(batch=8).check()\n"
    )
    limits = pytester.path / "thresholds.toml"
    for inference, minimum, outcome in (
        (fast, 85, "passed"),
        (slow, 85, "passed"),
        (slow, 99, "failed"),
    ):
        (pytester.path / "spam/inference.py").write_text(inference)
        limits.write_text(f"schema = 1\n[spam.gates]\naccuracy = {{ min = {minimum} }}\n")
        result = pytester.runpytest_subprocess(*LEFT_OUT, "--infperf")
        result.assert_outcomes(**{outcome: 1})


SUITES = [
    text
    for page, text in blocks("python")
    if page in ("tasks.md", "endpoints.md") and "suite = " in text
]


@pytest.mark.parametrize("text", SUITES)
def test_the_suites_of_the_docs_load(text: str) -> None:
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["suite"].baseline in names["suite"].variant_ids


def test_the_loads_of_the_docs_run(pytester: pytest.Pytester) -> None:
    suite, tests = [text for page, text in blocks("python") if page == "serving.md"]
    pytester.makeini("[pytest]")
    pytester.mkdir("served")
    (pytester.path / "served" / "model").mkdir()
    (pytester.path / "served" / "suite.py").write_text(suite.replace("=10", "=1"))
    (pytester.path / "served" / "test_echo.py").write_text(tests)
    pytester.runpytest_subprocess(*LEFT_OUT, "--infperf", "-k", "users").assert_outcomes(passed=1)


def rows(page: str, *header: str) -> list[list[str]]:
    """Yield the cells of each row of the table with this header."""
    text = (ROOT / page).read_text("utf-8")
    table = text.partition(f"| {' | '.join(header)} |\n")[2].partition("\n\n")[0]
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()[1:]]
    assert found, f"{page} has no table of {header}"
    return [[cell.strip() for cell in row] for row in found]


def test_every_option_is_described_in_the_readme_with_what_it_takes() -> None:
    parser = Mock()
    options.add(parser)
    declared = {
        call.args[0]: call.kwargs.get("metavar")
        for call in parser.getgroup.return_value.addoption.call_args_list
    }
    described = {}
    for option, _ in rows("README.md", "option", "meaning"):
        name, _, metavar = option.strip("`").replace("\\|", "|").partition(" ")
        described[name] = metavar or None
    assert described == declared
    ini = {call.args[0] for call in parser.addini.call_args_list}
    assert ini == {name.removeprefix("--").replace("-", "_") for name in declared}


MEASURES = rows("docs/thresholds.md", "measure", "unit", "from", "limits")


@pytest.mark.parametrize("name", METRICS.names())
def test_every_measure_is_described_with_its_method_and_limits(name: str) -> None:
    spec = METRICS.get(name)
    assert spec
    limits = [
        set(re.findall(r"`(\w+)`", limits))
        for measure, _, method, limits in MEASURES
        if f"`{name.partition('@')[0]}`" in measure and f"`variant.{spec.method}(" in method
    ]
    if spec.method == "quality" and name != "agreement":
        limits = [row - {"max_rise"} for row in limits]  # of metrics where lower is better
    assert limits == [set(spec.limits)]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_metric_is_described_with_its_unit_and_direction(name: str) -> None:
    made = metric(name)
    found = [
        (unit if unit in ("points", "fraction") else "", better)
        for described, unit, better, *_ in rows(
            "docs/metrics.md", "metric", "unit", "better", "outputs", "references"
        )
        if f"`{name}`" in described
    ]
    assert found == [(made.unit, "higher" if made.higher_is_better else "lower")]


@pytest.mark.parametrize("name", UNDER_LOAD)
def test_every_measure_under_load_is_described(name: str) -> None:
    found = [row for row in MEASURES if f"`{name}`" in row[0] and "`variant.load(" in row[2]]
    assert len(found) == 1


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        (page.name, target)
        for page in [*PAGES, ROOT / ".ci/run"]
        for target in re.findall(r"(?:^|[`$] ?)make ([a-z][\w-]*)", page.read_text("utf-8"), re.M)
    }
    assert {("README.md", "infperf"), ("README.md", "studies"), ("run", "studies")} <= named
    assert {target for _, target in named} <= targets


def test_the_first_command_of_the_readme_measures_one_study_and_writes_a_page() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = makefile.partition("\ninfperf:")[2].partition("\n\n")[0]
    assert "pytest --infperf suites/translation " in recipe
    assert "--infperf-html infperf.html $(ARGS)" in recipe
