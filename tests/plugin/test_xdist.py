"""With pytest-xdist: one worker measures, the others do other tests, and everything arrives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_infperf.session.xdist_schedule import OneWorkerMeasures
from tests.plugin.small_project import METHODS, VARIANTS, Outcome, Project

RAN = re.compile(r"\[(gw\d)\].* (?:PASSED|FAILED) (\S+)")

WRITES_WHERE_IT_RAN = """
    import pytest

    @pytest.mark.parametrize("number", range(8))
    def test_other(number):
        pass
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Two workers for a suite and for tests of the project's own."""
    project = Project(tmp_path_factory.mktemp("shared"), shared_cache)
    project.tests(WRITES_WHERE_IT_RAN, "test_other.py")
    project.thresholds("[echo.gates]\naccuracy = { min = 90 }\n")
    options = ("-pno:randomly", "-n2", "-v", "-k", "not latency or fast")
    return project.measure(*options, budget_s=0.2)


def where(outcome: Outcome) -> dict[str, str]:
    """By node id, the worker that ran the test."""
    return {found[2]: found[1] for line in outcome.outlines if (found := RAN.search(line))}


def test_one_worker_measures_and_another_runs_the_rest(shared: Outcome) -> None:
    workers = where(shared)
    measuring = [w for test, w in workers.items() if test.startswith("suites/echo/test_echo.py::")]
    assert len(measuring) == len(METHODS) * len(VARIANTS) - 2
    assert len(set(measuring)) == 1
    others = {worker for test, worker in workers.items() if test.startswith("test_other.py::")}
    assert others - set(measuring)


def test_the_order_of_measuring_is_kept(shared: Outcome) -> None:
    ran = [test.partition("::")[2] for test in where(shared) if "echo" in test]
    expected = [f"test_{m}[{v}]" for v in VARIANTS for m in METHODS]
    assert ran == [test for test in expected if "latency" not in test or "fast" in test]


def test_records_arrive_whole_at_the_controller(shared: Outcome) -> None:
    assert [record["variant"] for record in shared.document["records"]] == list(VARIANTS)
    for variant in VARIANTS:
        assert {"throughput", "accuracy", "size"} <= set(shared.record(variant)["measures"])
    assert shared.measure("fast", "speedup")["value"] > 1.5
    assert shared.record("wrong")["gates"][0]["verdict"] == "fail"
    assert shared.document["host"]["logical_cores"]


def test_the_outcome_is_the_same_as_without(shared: Outcome) -> None:
    assert shared.ret == pytest.ExitCode.TESTS_FAILED
    failed = [test for test, outcome in shared.outcomes().items() if outcome != "passed"]
    assert failed == ["test_quality[wrong]"]


def test_the_table_is_shown_once_and_no_progress(shared: Outcome) -> None:
    assert shared.text.count("echo · 3 variants") == 1
    assert shared.text.count("FAIL echo[wrong] accuracy 75.00") == 2, "in the message and below"
    assert "measuring latency" not in shared.text


@pytest.mark.parametrize("how", ["loadfile", "loadscope", "worksteal", "each"])
@pytest.mark.parametrize("workers", [["-n2"], ["--tx=2*popen"]])
def test_a_distribution_that_measures_side_by_side_is_refused(
    project: Project, how: str, workers: list[str]
) -> None:
    result = project.collect(*workers, f"--dist={how}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --infperf cannot measure with --dist {how}" in result.words
    assert "one at a time on one worker. Use --dist loadgroup, or leave -n out" in result.words


def test_such_a_distribution_is_nobodys_business_without_infperf(project: Project) -> None:
    project.plain("-n1", "--dist=loadfile").assert_outcomes(skipped=len(METHODS))


def test_no_workers_is_no_distribution(project: Project) -> None:
    project.only_tests_of("footprint")
    project.measure("-n0", "--dist=loadfile", "--infperf-variants=fast").assert_outcomes(passed=1)


def test_workers_that_are_named_one_by_one_are_no_way_around(project: Project) -> None:
    project.only_tests_of("footprint")
    result = project.measure("--tx=2*popen", "--dist=load", "-v")
    result.assert_outcomes(passed=3)
    assert len(set(where(result).values())) == 1


def test_without_xdist_nothing_is_missing(project: Project) -> None:
    project.only_tests_of("footprint")
    result = project.measure("-p", "no:xdist", "--strict-markers", "--infperf-variants=fast")
    result.assert_outcomes(passed=1)


def test_a_mistake_in_thresholds_is_no_crash(project: Project) -> None:
    project.thresholds("[echo.gates]\nspeedupp = { min = 2 }\n")
    result = project.measure("-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert 'thresholds.toml:3: [echo.gates] speedupp: unknown measure. Did you mean "speedup"?' in (
        result.words
    )
    assert "INTERNALERROR" not in result.text
    result.assert_outcomes(errors=1)


def test_a_worker_of_a_variant_that_dies_is_reported_from_there(project: Project) -> None:
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


def test_the_schedule_is_one_of_xdists(project: Project) -> None:
    """Its scopes are what groups tests: a change of xdist's that ends this should be seen here."""
    assert project.pytester
    config = project.pytester.parseconfig("-p", "xdist", "--tx=2*popen")
    schedule = OneWorkerMeasures(config)
    assert schedule._split_scope("suites/echo/test_echo.py::test_latency[fast]") == "infperf"
    assert schedule._split_scope("suites/echo/test_echo.py::TestThem::test_it") == "infperf"
    own = "tests/test_own.py::test_it"
    assert schedule._split_scope(own) == own
    assert schedule._split_scope(f"{own}@database") == "database"
