"""Other plugins of pytest, active beside ours; `make test-plugins` has all of them."""

from __future__ import annotations

from itertools import groupby

import pytest

from tests.plugin.small_project import VARIANTS, Outcome, Project


def run_with(plugin: str, project: Project, *options: str) -> Outcome:
    pytest.importorskip(plugin)
    project.only_tests_of("latency", "quality")
    project.thresholds("[echo.gates]\naccuracy = { min = 90 }\n")
    return project.measure("--infperf-variants=wrong", *options)


def assert_measured(result: Outcome) -> None:
    assert result.outcomes() == {"test_latency[wrong]": "passed", "test_quality[wrong]": "failed"}
    assert result.measure("wrong", "latency_p50")["value"] > 0
    assert result.measure("wrong", "accuracy")["value"] == 75
    assert "accuracy 75.00 is below the limit of 90.00" in result.words
    assert "INTERNALERROR" not in result.text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_randomly_keeps_the_variants_in_their_order(project: Project, seed: int) -> None:
    pytest.importorskip("pytest_randomly")
    project.only_tests_of("quality", "footprint")
    result = project.measure(f"--randomly-seed={seed}")
    result.assert_outcomes(passed=6)
    variants = [test.partition("[")[2].rstrip("]") for test in result.outcomes()]
    assert [variant for variant, _ in groupby(variants)] == list(VARIANTS)


def test_a_broken_limit_is_tried_again_by_rerunfailures(project: Project) -> None:
    result = run_with("pytest_rerunfailures", project, "--reruns=2")
    assert_measured(result)
    assert "2 rerun" in result.text


def test_each_repetition_of_repeat_is_measured(project: Project) -> None:
    result = run_with("pytest_repeat", project, "--count=2")
    result.assert_outcomes(passed=2, failed=2)
    assert {name.partition("[")[0] for name in result.outcomes()} == {
        "test_latency", "test_quality",
    }  # fmt: skip
    assert result.measure("wrong", "accuracy")["value"] == 75


def test_timeout_leaves_a_test_that_is_quick_enough(project: Project) -> None:
    assert_measured(run_with("pytest_timeout", project, "-ptimeout", "--timeout=50"))


def test_cov_counts_the_lines_of_the_run(project: Project) -> None:
    result = run_with("pytest_cov", project, "--cov=suites", "--cov-report=term")
    assert_measured(result)
    assert "TOTAL" in result.text


def test_async_tests_run_beside_ours(project: Project) -> None:
    pytest.importorskip("pytest_asyncio")
    project.write(
        "test_own.py",
        """
        import pytest

        @pytest.mark.asyncio
        async def test_own(): pass
        """,
    )
    project.only_tests_of("latency")
    project.measure("--infperf-variants=fast").assert_outcomes(passed=2)


def test_all_plugins_at_once(project: Project) -> None:
    for module in ("pytest_randomly", "pytest_rerunfailures", "pytest_cov"):
        pytest.importorskip(module)
    together = ("-n2", "--reruns=1", "--cov=suites", "-ptimeout", "--timeout=50")
    assert_measured(run_with("pytest_timeout", project, *together))
