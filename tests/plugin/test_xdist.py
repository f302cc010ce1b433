"""pytest-xdist: one worker measures, others run other tests, and all records are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_infperf.session.xdist_schedule import OneWorkerMeasures
from tests.plugin.small_project import METHODS, VARIANTS, Outcome, Project

RAN = re.compile(r"\[(gw\d)\].* (?:PASSED|FAILED) (\S+)")

OTHER_TESTS = """
    import pytest

    @pytest.mark.parametrize("number", range(8))
    def test_other(number):
        pass
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return a run of a suite and of other tests on two workers."""
    project = Project(tmp_path_factory.mktemp("shared"), shared_cache)
    project.tests(OTHER_TESTS, "test_other.py")
    project.thresholds("[echo.gates]\naccuracy = { min = 90 }\n")
    options = ("-pno:randomly", "-n2", "-v", "-k", "not latency or fast")
    return project.measure(*options, budget_s=0.2)


def worker_by_test(outcome: Outcome) -> dict[str, str]:
    """Return the worker that ran each test, by node id."""
    return {match[2]: match[1] for line in outcome.outlines if (match := RAN.search(line))}


def test_one_worker_measures_and_another_runs_other_tests(shared: Outcome) -> None:
    workers = worker_by_test(shared)
    measuring = [w for test, w in workers.items() if test.startswith("suites/echo/test_echo.py::")]
    assert len(measuring) == len(METHODS) * len(VARIANTS) - 2
    assert len(set(measuring)) == 1
    others = {worker for test, worker in workers.items() if test.startswith("test_other.py::")}
    assert others - set(measuring)


def test_the_order_of_measuring_is_kept(shared: Outcome) -> None:
    ran = [test.partition("::")[2] for test in worker_by_test(shared) if "echo" in test]
    expected = [f"test_{m}[{v}]" for v in VARIANTS for m in METHODS]
    assert ran == [test for test in expected if "latency" not in test or "fast" in test]


def test_the_controller_writes_complete_records(shared: Outcome) -> None:
    assert [record["variant"] for record in shared.document["records"]] == list(VARIANTS)
    for variant in VARIANTS:
        assert {"throughput", "accuracy", "size"} <= set(shared.record(variant)["measures"])
    assert shared.measure("fast", "speedup")["value"] > 1.5
    assert shared.record("wrong")["gates"][0]["verdict"] == "fail"
    assert shared.document["host"]["logical_cores"]


def test_only_the_test_of_the_broken_gate_fails(shared: Outcome) -> None:
    assert shared.ret == pytest.ExitCode.TESTS_FAILED
    failed = [test for test, outcome in shared.outcomes().items() if outcome != "passed"]
    assert failed == ["test_quality[wrong]"]


def test_the_table_is_shown_once_without_progress(shared: Outcome) -> None:
    assert shared.text.count("echo · 3 variants") == 1
    assert shared.text.count("FAIL echo[wrong] accuracy 75.00") == 2, "in the message and below"
    assert "measuring latency" not in shared.text


@pytest.mark.parametrize("how", ["loadfile", "loadscope", "worksteal", "each"])
@pytest.mark.parametrize("workers", [["-n2"], ["--tx=2*popen"]])
def test_a_distribution_that_would_measure_on_two_workers_is_refused(
    project: Project, how: str, workers: list[str]
) -> None:
    result = project.collect(*workers, f"--dist={how}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --infperf cannot measure with --dist {how}" in result.words
    assert "one at a time on one worker. Use --dist loadgroup, or omit -n" in result.words


def test_every_distribution_is_accepted_without_infperf(project: Project) -> None:
    project.plain("-n1", "--dist=loadfile").assert_outcomes(skipped=len(METHODS))


def test_every_distribution_is_accepted_with_zero_workers(project: Project) -> None:
    project.only_tests_of("footprint")
    project.measure("-n0", "--dist=loadfile", "--infperf-variants=fast").assert_outcomes(passed=1)


def test_one_of_the_workers_of_tx_measures(project: Project) -> None:
    project.only_tests_of("footprint")
    result = project.measure("--tx=2*popen", "--dist=load", "-v")
    result.assert_outcomes(passed=3)
    assert len(set(worker_by_test(result).values())) == 1


def test_a_run_without_the_xdist_plugin_succeeds(project: Project) -> None:
    project.only_tests_of("footprint")
    result = project.measure("-p", "no:xdist", "--strict-markers", "--infperf-variants=fast")
    result.assert_outcomes(passed=1)


def test_an_invalid_thresholds_file_is_an_error_without_a_crash(project: Project) -> None:
    project.thresholds("[echo.gates]\nspeedupp = { min = 2 }\n")
    result = project.measure("-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert 'thresholds.toml:3: [echo.gates] speedupp: unknown measure. Did you mean "speedup"?' in (
        result.words
    )
    assert "INTERNALERROR" not in result.text
    result.assert_outcomes(errors=1)


def test_the_error_of_a_variant_reaches_the_controller(project: Project) -> None:
    project.suite(
        """
        import os
        from pytest_infperf import Echo, Fake, Suite

        class Dying(Fake):
            def load(self, artifact, task, threads):
                os._exit(7)

        variants = [Dying(id="dying"), Fake()]
        suite = Suite("echo", task=Echo(), model="../../model", variants=variants)
        """
    )
    project.only_tests_of("footprint")
    result = project.measure("-n1", "--dist=loadgroup")
    result.assert_outcomes(errors=1, passed=1)
    assert "ended with exit code 7" in result.record("dying")["errors"][0]


def test_the_schedule_groups_tests_by_xdists_scopes(project: Project) -> None:
    """The schedule overrides a private method of xdist; this test notices if xdist changes it."""
    assert project.pytester
    config = project.pytester.parseconfig("-p", "xdist", "--tx=2*popen")
    schedule = OneWorkerMeasures(config)
    assert schedule._split_scope("suites/echo/test_echo.py::test_latency[fast]") == "infperf"
    assert schedule._split_scope("suites/echo/test_echo.py::TestThem::test_it") == "infperf"
    own = "tests/test_own.py::test_it"
    assert schedule._split_scope(own) == own
    assert schedule._split_scope(f"{own}@database") == "database"
