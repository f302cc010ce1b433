"""Outputs of a run besides its record: JUnit properties, a CI summary, a page, costs and trends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugin.small_project import Outcome, Project

LIMITS = """
    [echo.gates]
    accuracy = { min = 90 }
    cost_per_million = { max = 0.001 }
    [echo.variants.fast.on."c7i.*"]
    cost_per_million = { max = 1.5 }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return a run in a GitHub job on a named instance, with the project below the workspace."""
    workspace = tmp_path_factory.mktemp("workspace")
    folder = workspace / "service"
    folder.mkdir()
    project = Project(folder, shared_cache)
    project.thresholds(LIMITS)
    project.environment |= {
        "INFPERF_INSTANCE": "c7i.large",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    return project.measure("--infperf-html=page.html", "-k", "fast or wrong")


def properties(outcome: Outcome, test: str) -> dict[str, str]:
    cases = ElementTree.parse(outcome.folder / "junit.xml").iter("testcase")
    (case,) = [case for case in cases if case.attrib["name"] == test]
    return {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}


def test_junit_has_the_measures_of_each_test(run: Outcome) -> None:
    latency = properties(run, "test_latency[fast]")
    value, unit = latency["infperf.latency_p50"].split()
    assert float(value) == pytest.approx(run.measure("fast", "latency_p50")["value"], rel=1e-6)
    assert unit == "s"
    assert len(latency["infperf.speedup.interval"].split()) == 2
    assert "infperf.throughput" not in latency, "another test measured it"
    quality = properties(run, "test_quality[wrong]")
    assert quality["infperf.gate.accuracy.min"] == "fail: min = 90"


def test_the_job_summary_lists_broken_gates_first(run: Outcome) -> None:
    lines = (run.folder / "summary.md").read_text().splitlines()
    assert lines[0] == "## Inference"
    assert "**FAIL**" in lines[2]
    assert "accuracy 75.00" in "\n".join(lines)
    table = [line for line in lines if line.startswith("| fast ")]
    assert len(table) == 1
    assert "✅ pass" in table[0]


def test_annotations_have_file_and_line_of_the_limit(run: Outcome) -> None:
    lines = [line for line in run.outlines if line.startswith("::error")]
    accuracy = [line for line in lines if "accuracy" in line]
    assert len(accuracy) == 1
    assert accuracy[0].startswith(
        "::error file=service/thresholds.toml,line=3,title=echo[wrong]::accuracy 75.00"
    )


def test_cost_per_million_follows_from_price_and_throughput(run: Outcome) -> None:
    host = run.document["host"]
    assert host["instance_type"] == "c7i.large"
    throughput = run.measure("fast", "throughput")
    cost = run.measure("fast", "cost_per_million")
    assert cost["unit"] == "usd"

    def cost_at(rate: float | None) -> float | None:  # The interval of few batches may be open.
        return None if rate is None else host["usd_per_hour"] / 3600 * 1e6 / rate

    expected = [cost_at(throughput[bound]) for bound in ("high", "value", "low")]
    assert [cost[bound] for bound in ("low", "value", "high")] == pytest.approx(expected)


def test_a_limit_on_cost_can_depend_on_the_instance_type(run: Outcome) -> None:
    gates = {
        variant: [g for g in run.record(variant)["gates"] if "cost" in g["measure"]]
        for variant in ("fast", "wrong")
    }
    limits = {variant: [gate["limit"] for gate in found] for variant, found in gates.items()}
    assert limits == {"fast": ["max = 1.5"], "wrong": ["max = 0.001"]}
    # On a loud host the interval of so few batches may be too wide for the other verdicts.
    assert gates["fast"][0]["verdict"] != "fail"
    assert gates["wrong"][0]["verdict"] != "pass"


def test_the_page_is_written(run: Outcome) -> None:
    page = (run.folder / "page.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "echo[wrong]" in page
    assert page.count("<svg") >= 3


def test_without_a_price_a_limit_on_cost_is_not_judged(project: Project) -> None:
    project.only_tests_of("throughput")
    project.thresholds("[echo.gates]\ncost_per_million = { max = 0.001 }\n")
    result = project.measure_here("--infperf-no-imds", "-k", "fast")
    result.assert_outcomes(passed=1, deselected=2)
    assert result.record("fast")["gates"] == []
    assert "cost_per_million is not judged" in result.words


def test_unreadable_prices_are_a_usage_error(project: Project) -> None:
    result = project.collect("--infperf-prices=none.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--infperf-prices: cannot read" in result.words


def test_an_unwritable_page_is_a_usage_error(project: Project) -> None:
    result = project.collect("--infperf-html=pytest.ini/page.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "a part of the path is a file" in result.words


def test_outputs_that_cannot_be_written_at_the_end_fail_the_run(project: Project) -> None:
    project.only_tests_of("footprint")
    project.write("page.html", "the page of an earlier run")
    project.write(
        "conftest.py",
        """
        import errno, os

        replace = os.replace

        def full(source, target):
            if str(target).endswith("page.html"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            replace(source, target)

        os.replace = full
        """,
    )
    result = project.measure(
        "-k", "fast", "--infperf-html=page.html", "--infperf-json=/dev/full", "--benchmark-disable"
    )
    result.assert_outcomes(passed=1, deselected=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "/dev/full: the record was not written (No space left on device)" in result.words
    assert "the disk is full" in result.words
    assert "the file of an earlier run was removed" in result.words
    assert not (project.folder / "page.html").exists()


def test_outputs_go_through_links_and_to_devices(project: Project) -> None:
    project.only_tests_of("footprint")
    for name in ("infperf.json", "page.html"):
        (project.folder / name).symlink_to(project.folder / f"{name}.target")
    result = project.measure_here("-k", "fast", "--infperf-html=page.html")
    assert (project.folder / "page.html").is_symlink()
    assert result.json_path.is_symlink()
    assert result.record("fast")["variant"] == "fast"
    assert "echo" in (project.folder / "page.html.target").read_text()
    result = project.measure_here("-k", "fast", f"--infperf-json={os.devnull}")
    assert result.ret == 0
    assert Path(os.devnull).is_char_device()


def test_a_trend_advises_and_fails_nothing(project: Project) -> None:
    """Four saved runs of this host took a tenth of the present time."""
    project.only_tests_of("latency")
    project.thresholds('[echo.variants.fast]\ntrend = { max = "20 %" }\n')
    for _ in range(4):
        project.measure_here("--benchmark-autosave", "-k", "fast", budget_s=0.1)
    saved = sorted((project.folder / ".benchmarks").glob("*/*.json"))
    assert len(saved) == 4
    for number, path in enumerate(saved):
        document = json.loads(path.read_text())
        measure = document["benchmarks"][0]["extra_info"]["measures"]["latency_p50"]
        measure["value"] *= 0.1 + number / 1000
        path.write_text(json.dumps(document))
    result = project.measure("-k", "fast")
    result.assert_outcomes(passed=1, deselected=2, warnings=1)
    assert "ADVICE echo[fast] trend" in result.words
    assert "(4 earlier runs)" in result.words
    record = result.record("fast")
    assert "trend" in record["evidence"]["advice"]
    assert record["measures"]["trend"]["low"] > 0.2
    assert record["gates"] == []


def test_a_run_without_a_suite_says_what_it_does_not_write_and_judge(project: Project) -> None:
    """An example is a project that has only benchmarks of pytest-benchmark."""
    (project.folder / "suites/echo/suite.py").unlink()
    project.tests("def test_sum(benchmark): benchmark.pedantic(sum, ([1],), rounds=2)")
    project.thresholds('[echo.gates]\nlatency_p50 = { max = "1 ms" }\n')
    project.write("page.html", "of an earlier run")
    outcome = project.measure_here("--infperf-html=page.html")
    outcome.assert_outcomes(passed=1)
    assert not outcome.json_path.exists()
    assert "infperf.json was not written, because no test of a suite ran" in outcome.words
    assert "page.html was not written, and contains an earlier run, because" in outcome.words
    assert "the limits of [echo] in" in outcome.words


@pytest.mark.parametrize("option", ["--collect-only", "-k=footprint"])
def test_a_run_with_a_suite_says_nothing_of_the_kind(project: Project, option: str) -> None:
    assert "no test of a suite ran" not in project.measure_here(option).words


def test_a_saved_run_that_cannot_be_read_is_named_once(project: Project) -> None:
    """Both the page and the gate `trend` read the history."""
    project.only_tests_of("latency")
    project.thresholds('[echo.gates]\ntrend = { max = "900 %" }\n')
    project.write(".benchmarks/Linux/0001_half.json", '{"benchmarks": [')
    outcome = project.measure_here("--infperf-html=page.html", "--infperf-variants=fast")
    assert outcome.words.count("the history is read without") == 1
    assert "0001_half.json: it is not a complete JSON file" in outcome.words


@pytest.mark.parametrize(
    ("trouble", "status", "words"),
    [
        ("raise KeyboardInterrupt", 2, "interrupted (Ctrl-C) before all reports were written"),
        ("Path('page.html').mkdir()", 1, "page.html: the record was not written"),
    ],
)
def test_a_run_fails_if_its_page_is_not_written(
    project: Project, trouble: str, status: int, words: str
) -> None:
    project.only_tests_of("footprint")
    project.write(
        "conftest.py",
        f"""
        from pathlib import Path
        from pytest_infperf.report import html

        def page(*arguments):
            {trouble}
            return "a page"

        html.page = page
        """,
    )
    outcome = project.measure("--infperf-html=page.html")
    assert outcome.ret == status
    assert words in outcome.words
    assert outcome.measure("slow", "size")["value"] == 1000
