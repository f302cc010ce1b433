"""Reports match verdicts: several tests on one limit, tries, and limits that no test judged."""

from __future__ import annotations

import json
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from tests.plugin.small_project import Outcome, Project

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR

WRONG_IN_BATCHES = """
    from dataclasses import dataclass

    from pytest_infperf import ClosedLoop, Echo, Fake, Suite, Sweep

    @dataclass(frozen=True)
    class WrongInBatches(Fake):
        def load(self, artifact, task, threads):
            runner = super().load(artifact, task, threads)
            runner.infer = lambda texts: [text if len(texts) == 1 else "" for text in texts]
            return runner

    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        variants=[WrongInBatches(id="fast")],
        sweeps=[Sweep("length", (10, 100), variants="fa*")],
        loads=[ClosedLoop(1), ClosedLoop(4)],
    )
"""
TRIED_AGAIN = """
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        # As pytest-rerunfailures does.
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for left in (2, 1, 0):
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                again = report.failed and left
                if again:
                    report.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=report)
                if again:
                    item._initrequest()
                    break
            else:
                break
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_report_teststatus(report):
        return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""
LIMIT = "[echo.gates]\naccuracy = { min = 90 }\n"
BATCHES = (
    "def test_batches(variant): variant.quality(batch=8).check()",
    "def test_single(variant): variant.quality(batch=1).check()",
)
SECOND_TRY = """
    tries = []
    def test_it(variant):
        tries.append(1)
        variant.quality(batch=8 if len(tries) < {passes_at} else 1).check()
"""


@pytest.fixture
def batched(project: Project) -> Project:
    project.suite(WRONG_IN_BATCHES)
    project.thresholds(LIMIT)
    return project


def properties(outcome: Outcome) -> dict[str, list[tuple[str, str]]]:
    cases = ElementTree.parse(outcome.folder / "junit.xml").iter("testcase")
    return {
        case.attrib["name"]: [(p.attrib["name"], p.attrib["value"]) for p in case.iter("property")]
        for case in cases
    }


@pytest.mark.parametrize("worst_first", [True, False])
def test_the_worst_verdict_is_shown_everywhere(
    batched: Project, monkeypatch: pytest.MonkeyPatch, worst_first: bool
) -> None:
    page, summary = (batched.folder / name for name in ("page.html", "summary.md"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    lines = BATCHES if worst_first else reversed(BATCHES)
    batched.tests("\n".join([*lines, "def test_latency(variant): variant.latency()"]))
    outcome = batched.measure_here("--infperf-html=page.html", "--benchmark-json=benchmark.json")
    assert outcome.ret == 1
    assert outcome.outcomes() == {
        "test_batches[fast]": "failed",
        "test_single[fast]": "passed",
        "test_latency[fast]": "passed",
    }
    record = outcome.record("fast")
    assert [gate["verdict"] for gate in record["gates"]] == ["fail"]
    assert record["measures"]["accuracy"]["value"] == 0
    assert record["evidence"]["quality_batch"] == 8
    (row,) = [line for line in outcome.outlines if line.startswith("fast ") and "FAIL" in line]
    assert " 0.00" in row
    assert "FAIL echo[fast] accuracy 0.00" in outcome.words
    assert '<span class="mark fail">FAIL</span>' in page.read_text()
    assert "❌ **FAIL**" in summary.read_text()
    (saved,) = json.loads((batched.folder / "benchmark.json").read_text())["benchmarks"]
    assert [gate["verdict"] for gate in saved["extra_info"]["gates"]] == ["fail"]
    found = properties(outcome)
    assert ("infperf.gate.accuracy.min", "fail: min = 90") in found["test_batches[fast]"]
    assert ("infperf.gate.accuracy.min", "pass: min = 90") in found["test_single[fast]"]


@pytest.mark.parametrize(
    ("marked", "verdict", "status"),
    [(("batches",), "xfailed", 0), (("batches", "single"), "fail", 1), ((), "fail", 1)],
)
def test_a_broken_limit_of_a_test_that_is_expected_to_fail_is_xfailed(
    batched: Project,
    monkeypatch: pytest.MonkeyPatch,
    marked: tuple[str, ...],
    verdict: str,
    status: int,
) -> None:
    """The marker is strict here, so that a marked test that passes fails the run."""
    summary = batched.folder / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    batches = "xfail" if "batches" in marked else "infperf"
    again = "def test_again(variant): variant.quality(batch=4).check()"
    batched.tests(
        "\n".join(
            [
                "import pytest",
                f"@pytest.mark.{batches}",
                BATCHES[0],
                BATCHES[1] if "single" not in marked else again,
            ]
        )
    )
    outcome = batched.measure_here()
    assert outcome.ret == status
    assert [gate["verdict"] for gate in outcome.record("fast")["gates"]] == [verdict]
    found = properties(outcome)["test_batches[fast]"]
    expected = "xfailed" if "batches" in marked else "fail"
    assert ("infperf.gate.accuracy.min", f"{expected}: min = 90") in found
    assert ("FAIL echo[fast]" in outcome.words) == bool(status)
    assert ("❌ **FAIL**" in summary.read_text()) == bool(status)
    (row,) = [line for line in outcome.outlines if line.startswith("fast ")]
    assert ("xfailed" in row) == (verdict == "xfailed")


def test_tries_are_counted_and_shown(batched: Project) -> None:
    batched.write("conftest.py", TRIED_AGAIN)
    batched.tests(SECOND_TRY.format(passes_at=3))
    outcome = batched.measure_here()
    assert outcome.ret == 0
    (gate,) = outcome.record("fast")["gates"]
    assert (gate["verdict"], gate["tries"]) == ("pass", 3)
    assert outcome.measure("fast", "accuracy")["value"] == 100
    assert "RETRIED echo[fast] accuracy 100.00" in outcome.words
    assert outcome.outlines.count("note: echo[fast] accuracy passed at try 3") == 1
    (found,) = properties(outcome).values()
    assert dict(found)["infperf.gate.accuracy.min"] == "pass: min = 90, at try 3"
    assert len(found) == len(dict(found)), "each property stands once"


def test_a_limit_that_stays_broken_says_how_often_it_was_tried(batched: Project) -> None:
    batched.write("conftest.py", TRIED_AGAIN)
    batched.tests(SECOND_TRY.format(passes_at=9))
    outcome = batched.measure_here()
    assert outcome.ret == 1
    assert "note: echo[fast] accuracy failed at try 3" in outcome.outlines


def test_a_limit_that_no_test_judged_fails_the_run(batched: Project) -> None:
    batched.tests("def test_quality(variant): variant.quality(batch=1)\n")
    outcome = batched.measure_here()
    assert outcome.outcomes() == {"test_quality[fast]": "passed"}
    assert outcome.ret == 1
    why = "accuracy: no test of this run judged the limit min = 90"
    assert f"INCONCLUSIVE echo[fast] {why}" in outcome.words
    (note,) = [line for line in outcome.outlines if line.startswith("note: ")]
    assert note == f"note: echo[fast] {why} (thresholds.toml:3): the run fails"
    (gate,) = outcome.record("fast")["gates"]
    assert (gate["verdict"], gate["tries"]) == ("inconclusive", 0)


def test_with_xdist_tries_and_unjudged_limits_are_said_once(batched: Project) -> None:
    batched.write("conftest.py", TRIED_AGAIN)
    size = "def test_size(variant): variant.footprint()\n"
    batched.tests(dedent(SECOND_TRY).format(passes_at=2) + size)
    batched.thresholds(LIMIT + 'size = { max = "1 MB" }\n')
    outcome = batched.measure("-n2")
    assert outcome.outcomes() == {"test_it[fast]": "passed", "test_size[fast]": "passed"}
    assert outcome.ret == 1
    assert [line for line in outcome.outlines if line.startswith("note: ")] == [
        "note: echo[fast] accuracy passed at try 2",
        'note: echo[fast] size: no test of this run judged the limit max = "1 MB" '
        "(thresholds.toml:4): the run fails",
    ]
    tries = {gate["measure"]: gate["tries"] for gate in outcome.record("fast")["gates"]}
    assert tries == {"accuracy": 2, "size": 0}


NO_CHECK = "def test_quality(variant): variant.quality(batch=1)\n"
ANOTHER = "def test_another(variant): variant.quality(batch=1).check()\n"


@pytest.mark.parametrize(
    ("tests", "arguments"),
    [
        (NO_CHECK + ANOTHER, ["-k", "not another"]),
        (NO_CHECK + ANOTHER, ["suites/echo/test_echo.py::test_quality"]),
        (NO_CHECK + "import pytest\n@pytest.mark.skip\n" + ANOTHER, []),
        (
            "import pytest\n@pytest.mark.parametrize('n', [1, 2])\n"
            "def test_it(variant, n):\n    r = variant.quality(n)\n    if n == 2: r.check()\n",
            ["suites/echo/test_echo.py::test_it[fast-1]"],
        ),
        ("def test_it(variant): assert variant.footprint()\n", ["suites/echo/test_echo.py"]),
    ],
    ids=["deselected", "node id", "skipped", "parameter", "another file"],
)
def test_a_limit_that_another_test_may_judge_is_no_error(
    batched: Project, tests: str, arguments: list[str]
) -> None:
    batched.tests(tests)
    batched.tests(ANOTHER, "suites/echo/test_more.py")
    if not arguments or "echo.py" not in arguments[0]:
        (batched.folder / "suites/echo/test_more.py").unlink()
    outcome = batched.measure_here(*arguments)
    assert outcome.ret == 0, outcome.text
    assert outcome.record("fast")["gates"] == []


def test_a_test_that_fails_otherwise_leaves_its_limits_open(batched: Project) -> None:
    batched.tests("def test_quality(variant): assert not variant.quality(batch=1)['accuracy']\n")
    outcome = batched.measure_here()
    assert outcome.ret == 1
    record = outcome.record("fast")
    assert (len(record["errors"]), record["gates"]) == (1, [])


@pytest.mark.parametrize(
    ("test", "gate", "complaint"),
    [
        ('load("users=1")', 'error_rate.at."users=4" = { max = 0 }', 'variant.load("users=4")'),
        (
            'protocol("jmeter-60x12")',
            'latency_p50.at.deepspeech2-300x100 = { max = "1 s" }',
            'variant.protocol("deepspeech2-300x100")',
        ),
        (
            'sweep("batch")',
            'latency_p50.at."length=10" = { max = "1 s" }',
            'variant.sweep("length")',
        ),
        ('sweep("batch")', "growth.at.length = { max = 2 }", 'variant.sweep("length")'),
    ],
)
def test_a_limit_at_a_point_that_no_test_asks_for_is_a_usage_error(
    batched: Project, test: str, gate: str, complaint: str
) -> None:
    batched.tests(f"def test_it(variant): variant.{test}.check()\n")
    batched.thresholds(f"[echo.gates]\n{gate}\n")
    outcome = batched.collect()
    assert outcome.ret == USAGE_ERROR
    assert f"thresholds.toml:3: [echo.gates] {gate.partition(' ')[0]}: no test" in outcome.words
    assert f"none calls {complaint}. Add a test that calls {complaint}.check()" in outcome.words


def test_a_limit_at_a_point_that_a_parameter_asks_for_is_accepted(batched: Project) -> None:
    batched.tests(
        """
        import pytest

        @pytest.mark.parametrize("users", [1, 4])
        def test_it(variant, users): variant.load(f"users={users}").check()
        """
    )
    batched.thresholds('[echo.gates]\nerror_rate.at."users=4" = { max = 0 }\n')
    assert batched.collect().ret == 0


NOT_JUDGED = "note: no limit of echo was judged"


def test_a_suite_without_limits_is_reported_and_fails_on_request(batched: Project) -> None:
    (batched.folder / "thresholds.toml").unlink()
    batched.write("threshold.toml", "schema = 1\n" + LIMIT)
    batched.tests(ANOTHER)
    outcome = batched.measure_here()
    missing = f"there is no thresholds.toml in {batched.folder}, only threshold.toml"
    (header,) = [line for line in outcome.outlines if line.startswith("infperf: ")]
    assert header.endswith(f", no limits: {missing}")
    assert outcome.ret == 0
    assert f"{NOT_JUDGED}: {missing}" in outcome.outlines
    strict = batched.measure_here("--infperf-strict")
    assert strict.ret == 1
    assert strict.outcomes() == {"test_another[fast]": "passed"}
    assert f"{NOT_JUDGED}: {missing}; the run fails because of --infperf-strict" in strict.outlines


@pytest.mark.parametrize(
    ("arguments", "applies"),
    [(["a", "b"], "no limits: there is no"), (["-c", "b/pytest.ini", "a"], "limits of thresholds")],
)
def test_a_file_of_limits_that_does_not_apply_is_named(
    project: Project, arguments: list[str], applies: str
) -> None:
    for name in "ab":
        project.suite(WRONG_IN_BATCHES.replace('"echo"', f'"{name}"'), f"{name}/echo_{name}")
        project.tests(ANOTHER, f"{name}/echo_{name}/test_{name}.py")
        project.write(f"{name}/thresholds.toml", f"schema = 1\n{LIMIT.replace('echo', name)}")
    project.write("b/pytest.ini", f"[pytest]\ninfperf_cache = {project.cache}\n")
    outcome = project.measure_here(*arguments)
    assert outcome.ret == 0, outcome.text
    (header,) = [line for line in outcome.outlines if line.startswith("infperf: ")]
    assert applies in header
    (note,) = [line for line in outcome.outlines if f"note: {project.folder}/a/" in line]
    assert "a/thresholds.toml is not used: " in note
    assert "note: no limit of a was judged" in outcome.text


def test_the_file_that_was_named_is_in_the_header(batched: Project) -> None:
    batched.write("limits/ci.toml", "schema = 1\n" + LIMIT)
    batched.tests(ANOTHER)
    outcome = batched.measure_here("--infperf-thresholds=limits/ci.toml", "--infperf-strict")
    assert outcome.ret == 0
    (header,) = [line for line in outcome.outlines if line.startswith("infperf: ")]
    assert header.endswith(", limits of limits/ci.toml")
    assert "note: " not in outcome.text
