"""Tests share the measuring time of their run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugin.small_project import Outcome, Project

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        variants=[
            *(Fake(id=f"clear-{number}", query_ms=1) for number in range(3)),
            Fake(id="unclear", query_ms=60),
        ],
    )
"""
LIMITS = """
    [echo.gates]
    latency_p50 = { max = "5 s" }
    [echo.variants.unclear]
    latency_p90 = { max = "5 s" }
"""


@pytest.fixture
def sharing(project: Project) -> Project:
    """Return a project with a test that needs 44 queries of 60 ms, of which 2 s allow 33."""
    project.suite(SUITE)
    project.only_tests_of("latency")
    project.thresholds(LIMITS)
    return project


def gate(outcome: Outcome) -> dict[str, Any]:
    """Return the record of the limit on the 90th percentile."""
    gates = outcome.record("unclear")["gates"]
    return next(gate for gate in gates if gate["measure"] == "latency_p90")


def verdict(outcome: Outcome) -> str:
    return str(gate(outcome)["verdict"])


def test_an_unclear_test_draws_on_what_a_clear_one_has_left(sharing: Project) -> None:
    together = sharing.measure_here(budget_s=2)
    assert verdict(together) == "pass"
    drawn_s = together.record("unclear")["evidence"]["drawn_s"]
    assert 0 < drawn_s <= 3 * 2
    assert "drawn_s" not in together.record("clear-0")["evidence"]


def test_alone_it_is_inconclusive_and_tells_the_seconds_that_would_decide(sharing: Project) -> None:
    alone = sharing.measure_here("-k", "unclear", budget_s=1.2)
    assert verdict(alone) == "inconclusive"
    assert gate(alone)["more_s"] > 0.5
    assert "more would decide" in gate(alone)["remedy"]


def test_the_time_of_the_run_is_given_instead_of_budgets(sharing: Project) -> None:
    outcome = sharing.plain("--infperf", "--infperf-time=8s", "--infperf-json=infperf.json")
    assert "measuring time 8 s" in outcome.words
    assert verdict(outcome) == "pass"


def test_a_percentile_that_the_time_of_the_run_cannot_resolve_is_refused(sharing: Project) -> None:
    sharing.thresholds('[echo.gates]\nlatency_p99 = { max = "500 ms" }\n')
    outcome = sharing.plain("--infperf", "--infperf-time=0.05s")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert "Raise --infperf-time to 1s or more, or gate a lower percentile" in outcome.words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--infperf-time=10"], "'10' is not a duration above 0, such as 90s, 10m or 1.5h"),
        (["--infperf-time=0m"], "'0m' is not a duration above 0"),
        (["--infperf-time=1m", "--infperf-budget=3"], "both set the measuring time"),
        (["--infperf-time=1m", "--infperf-ray=auto"], "use --infperf-budget"),
    ],
)
def test_a_time_that_cannot_be_kept_is_refused(
    sharing: Project, arguments: list[str], message: str
) -> None:
    outcome = sharing.plain("--infperf", *arguments)
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert message in outcome.words
