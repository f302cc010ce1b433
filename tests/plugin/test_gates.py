"""Gates of thresholds.toml in a run: failures, their messages, and invalid files."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugin.small_project import METHODS, VARIANTS, Outcome, Project

FAILED, USAGE_ERROR = pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR


def test_only_the_test_that_breaks_a_limit_fails(measured: Outcome) -> None:
    failed = [test for test, outcome in measured.outcomes().items() if outcome != "passed"]
    assert failed == ["test_quality[wrong]"]
    measured.assert_outcomes(passed=len(METHODS) * len(VARIANTS) - 1, failed=1)
    assert measured.ret == FAILED


def test_junit_has_one_failure_and_no_error(measured: Outcome) -> None:
    (suite,) = ElementTree.parse(measured.folder / "junit.xml").iter("testsuite")
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("1", "0")


def test_the_message_has_measure_limit_line_and_remedy(measured: Outcome) -> None:
    message = measured.message("test_quality[wrong]")
    assert "FAIL echo[wrong] accuracy 75.00 is below the limit of 90.00 (40 samples)" in message
    assert "limit: min = 90 (thresholds.toml:3)" in message
    assert "compare the outputs with those of the baseline" in message
    assert "move the limit at thresholds.toml:3" in message


def test_the_traceback_shows_the_users_line_only(measured: Outcome) -> None:
    message = measured.message("test_quality[wrong]")
    assert "suites/echo/test_echo.py:3: GateBroken" in message
    assert "variant.quality(batch=4).check()" in message
    assert not re.search(r"pytest_infperf/\S+\.py:\d", message)


BROKEN = {
    "speedup": (
        "latency",
        "speedup = { min = 50 }",
        ["speedup", "x [", "is below the limit of 50", "pairs)"],
    ),
    "percentile": (
        "latency",
        'latency_p90 = { max = "50 us" }',
        ["latency_p90: ", "queries took longer than 50 us, p90 is "],
    ),
    "size": ("footprint", 'size = { max = "1 kB" }', ["size 5 kB is above the limit of 1 kB"]),
    "ratio": (
        "footprint",
        "size = { max_ratio = 2 }",
        ["size 5.00x of the baseline's is above the limit of 2.00x"],
    ),
    "drop": (
        "quality",
        "accuracy = { max_drop = 1 }",
        ["accuracy drop 25.00 against the baseline is above the limit of 1.00 (40 samples)"],
    ),
    "throughput": (
        "throughput",
        'throughput = { min = "1000000 samples/s" }',
        ["throughput ", "samples/s [", "is below the limit of 1000000", "(40 samples)"],
    ),
}
"""For each variant: the method whose test fails, the limit, and parts of the message."""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return a run in which each variant breaks a limit of its own."""
    project = Project(tmp_path_factory.mktemp("broken"), shared_cache)
    fakes = [f'Fake(id="{name}", query_ms=0.1, wrong=0.5, size_bytes=5000)' for name in BROKEN]
    project.suite(
        f"""
        from pytest_infperf import Echo, Fake, Suite

        suite = Suite(
            "echo",
            task=Echo(count=40),
            model="../../model",
            baseline="base",
            variants=[Fake(id="base", query_ms=0.3), {", ".join(fakes)}],
        )
        """
    )
    limits = [f"[echo.variants.{name}]\n{limit}\n" for name, (_, limit, _) in BROKEN.items()]
    project.thresholds("".join(limits))
    return project.measure("-k", "not latency or speedup or percentile", budget_s=0.2)


@pytest.mark.parametrize("variant", BROKEN)
def test_a_broken_limit_fails_the_test_that_measures_it(broken: Outcome, variant: str) -> None:
    method, _, words = BROKEN[variant]
    outcomes = {test: o for test, o in broken.outcomes().items() if f"[{variant}]" in test}
    assert [test for test, outcome in outcomes.items() if outcome != "passed"] == [
        f"test_{method}[{variant}]"
    ]
    assert len(outcomes) >= 3
    message = broken.message(f"test_{method}[{variant}]")
    line = 3 + 2 * list(BROKEN).index(variant)
    for part in [f"FAIL echo[{variant}] {words[0]}", *words[1:], f"thresholds.toml:{line}"]:
        assert part in message
    (gate,) = broken.record(variant)["gates"]
    assert (gate["verdict"], gate["source"]) == ("fail", f"thresholds.toml:{line}")


def test_each_broken_limit_is_one_failed_test(broken: Outcome) -> None:
    assert broken.ret == FAILED
    assert broken.parseoutcomes()["failed"] == len(BROKEN)
    assert set(broken.outcomes().values()) == {"passed", "failed"}


def test_limits_that_are_met_pass_and_are_in_the_record(project: Project) -> None:
    project.thresholds(
        """
        [echo.gates]
        accuracy = { min = 99.9, max_drop = 0.1 }
        latency_p90 = { max = "1 s" }
        peak_memory = { max = "10 GB" }
        throughput = { min = 1 }
        [echo.variants.fast]
        speedup = { min = 1.2 }
        size = { max_ratio = 1.0 }
        """
    )
    result = project.measure_here("--infperf-variants", "fast", budget_s=5)
    result.assert_outcomes(passed=len(METHODS))
    gates = result.record("fast")["gates"]
    assert {gate["verdict"] for gate in gates} == {"pass"}
    assert sorted(gate["measure"] for gate in gates) == [
        "accuracy",
        "accuracy",
        "latency_p90",
        "peak_memory",
        "size",
        "speedup",
        "throughput",
    ]
    for gate in gates:
        is_percentile = gate["measure"] == "latency_p90"
        assert ("queries took longer than 1 s" if is_percentile else "meets the limit") in (
            gate["why"]
        )


def test_one_failure_lists_all_broken_limits_of_a_test(project: Project) -> None:
    project.thresholds(
        '[echo.variants.wrong]\nsize = { max = "1 kB" }\nloaded_memory = { max = "1 kB" }\n'
    )
    project.only_tests_of("footprint")
    message = project.measure_here("--infperf-variants", "wrong").message("test_footprint[wrong]")
    assert "FAIL echo[wrong] size 5 kB" in message
    assert "FAIL echo[wrong] loaded_memory" in message


EQUALS = """
    from pytest_infperf import Echo, Fake, Suite

    suite = Suite(
        "echo",
        task=Echo(count=400, sample_size=60),
        model="../../model",
        variants=[Fake(id="one", query_ms=1, wrong=0.8), Fake(id="two", query_ms=1, wrong=0.8)],
        baseline="one",
    )
"""
TRUE_ACCURACY = 100 * sum(sum(f"sample {i}".encode()) % 100 >= 80 for i in range(400)) / 400


UNSTEADY = """
    import random

    from pytest_infperf import Echo, Fake, Suite
    from pytest_infperf.backends.fake import FakeRunner, spin

    class Unsteady(Fake):
        def load(self, artifact, task, threads):
            return UnsteadyRunner(task.decoding, threads or 1, self.query_ms, self.wrong)

    class UnsteadyRunner(FakeRunner):
        def infer(self, features):
            spin(round(random.expovariate(1e-6)))
            return super().infer(features)

    suite = Suite(
        "echo",
        task=Echo(count=400, sample_size=60),
        model="../../model",
        variants=[Unsteady(id="one", wrong=0.8), Unsteady(id="two", wrong=0.8)],
        baseline="one",
    )
"""
"""Two equal variants with random times, so noisy that 0.2 s of measuring decides nothing."""


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return a run with limits at the true values, and one that needs more queries than it gets."""
    project = Project(tmp_path_factory.mktemp("undecided"), shared_cache)
    project.suite(UNSTEADY)
    project.tests(
        """
        def test_latency(variant): variant.latency().check()
        def test_quality(variant): variant.quality().check()
        """
    )
    project.thresholds(
        f"""
        [echo]
        confidence = 0.9999
        [echo.variants.two]
        speedup = {{ min = 1.0 }}
        accuracy = {{ min = {TRUE_ACCURACY} }}
        latency_p99 = {{ max = "500 ms" }}
        """
    )
    return project.measure("--infperf-variants=two", budget_s=0.2)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("latency", ["speedup ", "is too uncertain to tell from the limit of 1.0", "pairs)"]),
        ("latency", ["latency_p99: 0 of ", "too few queries to tell", " more would decide"]),
        ("quality", ["accuracy ", "is too uncertain to tell", "run with --infperf-full"]),
    ],
)
def test_an_undecided_gate_is_inconclusive_with_a_remedy(
    undecided: Outcome, test: str, words: list[str]
) -> None:
    message = undecided.message(f"test_{test}[two]")
    assert f"INCONCLUSIVE echo[two] {words[0]}" in message
    for part in words[1:]:
        assert part in message
    if test == "latency":
        assert "--infperf-budget" in message
    assert undecided.ret == FAILED


def test_inconclusive_gates_are_in_the_record(undecided: Outcome) -> None:
    gates = undecided.record("two")["gates"]
    assert {gate["measure"] for gate in gates} == {"speedup", "accuracy", "latency_p99"}
    assert {gate["verdict"] for gate in gates} == {"inconclusive"}


def test_inconclusive_can_be_a_warning(project: Project) -> None:
    project.suite(EQUALS)
    project.tests("def test_quality(variant): variant.quality().check()")
    project.thresholds(
        f"""
        [echo]
        inconclusive = "warn"
        [echo.gates]
        accuracy = {{ min = {TRUE_ACCURACY} }}
        """
    )
    result = project.measure("--infperf-variants", "one")
    result.assert_outcomes(passed=1, warnings=1)
    assert result.ret == pytest.ExitCode.OK
    assert "InconclusiveGate: INCONCLUSIVE echo[one] accuracy" in result.words
    assert result.record("one")["gates"][0]["verdict"] == "inconclusive"


def test_the_whole_test_set_is_exact_and_decides(project: Project) -> None:
    project.suite(EQUALS)
    project.tests("def test_quality(variant): variant.quality().check()")
    project.thresholds(f"[echo.gates]\naccuracy = {{ min = {TRUE_ACCURACY} }}\n")
    result = project.measure_here("--infperf-variants=one", "--infperf-full")
    result.assert_outcomes(passed=1)
    assert result.measure("one", "accuracy")["n"] == 400


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[ecko.gates]\nspeedup = { min = 2 }", 2, 'unknown suite. Did you mean "echo"?'),
        ("[echo.variants.fats]\nspeedup = { min = 2 }", 2, 'unknown variant. Did you mean "fast"?'),
        ("[echo.gates]\nspeedupp = { min = 2 }", 3, 'unknown measure. Did you mean "speedup"?'),
        ("[echo.gates]\nspeedup = { mim = 2 }", 3, 'Did you mean "min"?'),
        ('[echo.gates]\nsize = { max = "3 MV" }', 3, "MV"),
        ('[echo]\nbaseline = "slo"', 3, 'unknown variant "slo". Did you mean "slow"?'),
        ("[echo.gates]\nbleu = { min = 2 }", 3, "unknown measure"),
        ("[echo.gates]\nspeedup = 2", 3, "speedup"),
    ],
)
def test_an_invalid_file_is_a_usage_error_with_line_and_nearest_name(
    project: Project, text: str, line: int, message: str
) -> None:
    project.thresholds(text)
    result = project.collect()
    assert result.ret == USAGE_ERROR
    assert f"ERROR: thresholds.toml:{line}: " in result.text
    assert message in result.words
    assert "Traceback" not in result.text
    assert "note: " not in result.text


def test_limits_of_infperf_judge_may_be_in_the_same_file(project: Project) -> None:
    imported = '[chat]\nimported = true\n[chat.gates]\nttft_p99.at."users=16".max = "1 s"\n'
    project.thresholds(f"[echo.gates]\naccuracy = {{ min = 2 }}\n{imported}")
    project.tests("def test_quality(variant): variant.quality().check()")
    result = project.measure_here("--infperf-variants=fast")
    result.assert_outcomes(passed=1)
    assert "chat" not in result.text
    project.thresholds(imported.replace("chat", "echo"))
    result = project.collect()
    assert result.ret == USAGE_ERROR
    assert "ERROR: thresholds.toml:3: [echo] imported: the project has a suite" in result.text


def test_messages_name_the_thresholds_file_of_the_option(project: Project) -> None:
    project.write("limits/cpu.toml", "schema = 1\n[echo.gates]\nsped = { min = 2 }\n")
    result = project.collect("--infperf-thresholds", "limits/cpu.toml")
    assert result.ret == USAGE_ERROR
    assert "ERROR: limits/cpu.toml:3: [echo.gates] sped: unknown measure" in result.text


def test_a_relative_gate_without_a_baseline_is_a_usage_error(project: Project) -> None:
    suite = project.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace('baseline="slow",', ""))
    project.thresholds("[echo.gates]\nspeedup = { min = 2 }\n")
    result = project.collect()
    assert result.ret == USAGE_ERROR
    assert "there is no baseline to compare with" in result.words


def test_without_a_baseline_absolute_measures_are_measured(project: Project) -> None:
    suite = project.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace('baseline="slow",', ""))
    result = project.measure_here("--infperf-variants", "fast")
    result.assert_outcomes(passed=len(METHODS))
    assert "speedup" not in result.record("fast")["measures"]


GATE_OF_SIZE = '[echo.gates]\nsize = { max = "1 GB" }\n'


def test_a_gate_that_no_test_measures_is_a_usage_error(project: Project) -> None:
    project.only_tests_of("latency")
    project.thresholds(GATE_OF_SIZE)
    result = project.collect()
    assert result.ret == USAGE_ERROR
    assert "no test of this suite measures it: none calls variant.footprint()" in result.words


def test_a_call_of_load_on_another_object_does_not_count_as_measuring(project: Project) -> None:
    project.tests(
        """
        import json

        def test_data(variant, tmp_path):
            (tmp_path / "x.json").write_text("[]")
            json.load((tmp_path / "x.json").open())
            variant.footprint().check()
        """
    )
    project.thresholds('[echo.gates]\nerror_rate.at."users=2" = { max = 0 }\n')
    suite = project.folder / "suites/echo/suite.py"
    suite.write_text(
        suite.read_text()
        .replace("import Echo", "import ClosedLoop, Echo")
        .replace("suite = Suite(", "suite = Suite(loads=[ClosedLoop(2)], *[")
        .replace('    "echo",', '"echo"],')
    )
    result = project.collect()
    assert result.ret == USAGE_ERROR
    assert "no test of this suite measures it: none calls variant.load()" in result.words


def test_the_marker_declares_the_calls_of_a_helper_function(project: Project) -> None:
    project.thresholds(GATE_OF_SIZE)
    project.write("helper.py", "def measure(variant): variant.footprint().check()\n")
    project.tests(
        """
        import pytest
        from helper import measure

        @pytest.mark.infperf(calls=["footprint"])
        def test_size(variant):
            measure(variant)
        """
    )
    result = project.measure("--infperf-variants", "fast")
    result.assert_outcomes(passed=1)
    assert [gate["measure"] for gate in result.record("fast")["gates"]] == ["size"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            'calls=["footprnt"]',
            "unknown argument 'footprnt' of the marker infperf; did you mean footprint?",
        ),
        ('call="footprint"', "unknown argument 'call' of the marker infperf; did you mean calls?"),
    ],
)
def test_an_unknown_argument_of_the_marker_is_refused(
    project: Project, arguments: str, complaint: str
) -> None:
    project.tests(
        f"""
        import pytest

        @pytest.mark.infperf({arguments})
        def test_size(variant): pass
        """
    )
    result = project.collect()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert complaint in result.words


def test_one_file_of_a_suite_can_be_run_alone(project: Project) -> None:
    """Gates that only other files of the suite measure are then no error."""
    project.thresholds(GATE_OF_SIZE)
    project.only_tests_of("footprint")
    project.tests("def test_it(variant): variant.quality().check()", "suites/echo/test_quality.py")
    result = project.measure_here("suites/echo/test_quality.py", "--infperf-variants", "fast")
    result.assert_outcomes(passed=1)


def test_limits_of_a_host_replace_those_of_the_variant(project: Project) -> None:
    project.environment["INFPERF_INSTANCE"] = "c7i.large"
    project.only_tests_of("footprint")
    project.thresholds(
        """
        [echo.variants.fast]
        size = { max = "1 B" }
        [echo.variants.fast.on."c7i.*"]
        size = { max = "1 GB" }
        [echo.variants.wrong]
        size = { max = "1 B" }
        [echo.variants.wrong.on."m7g.*"]
        size = { max = "1 GB" }
        """
    )
    result = project.measure("--infperf-variants", "[fw]*")
    assert result.outcomes() == {
        "test_footprint[fast]": "passed",
        "test_footprint[wrong]": "failed",
    }


def test_a_gate_that_only_deselected_tests_measure_is_accepted(project: Project) -> None:
    project.thresholds("[echo.gates]\naccuracy = { min = 90 }\n")
    project.measure_here("-k", "footprint and fast").assert_outcomes(passed=1, deselected=11)


def test_the_short_summary_has_room_for_the_reason(project: Project) -> None:
    project.thresholds("[echo.variants.fast]\nlatency_p50 = { max = '1 us' }\n")
    project.only_tests_of("latency")
    outcome = project.measure_here("-rA")
    (line,) = [line for line in outcome.outlines if line.startswith("FAILED ")]
    start = "FAILED suites/echo/test_echo.py::test_latency[fast] - FAIL latency_p50"
    assert line.startswith(start)
