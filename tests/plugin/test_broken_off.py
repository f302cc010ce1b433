"""A measurement that pytest-timeout or a signal handler aborts does not affect others."""

from __future__ import annotations

from tests.plugin.small_project import Outcome, Project

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        baseline="slow",
        variants=[Fake(id="fast", query_ms=0.2, wrong=0.5), Fake(id="slow", query_ms=15)],
    )
"""
THRESHOLDS = "[echo.gates]\naccuracy = { max_drop = 1.0 }\n"
"""The variant is 25 points worse than the baseline, whose quality set takes 0.6 s."""


def assert_that_the_worse_variant_fails(outcome: Outcome) -> None:
    assert outcome.outcomes()["test_quality[slow]"] == "passed"
    assert outcome.outcomes()["test_quality[fast]"] == "failed"
    assert outcome.measure("slow", "accuracy")["value"] == 100
    assert outcome.measure("fast", "accuracy")["value"] < 90
    assert "INTERNALERROR" not in outcome.text


def test_an_abort_by_pytest_timeout(project: Project) -> None:
    project.suite(SUITE)
    project.thresholds(THRESHOLDS)
    project.tests(
        """
        import pytest

        @pytest.mark.timeout(0.3, method="signal", func_only=True)
        def test_broken_off(variant):
            variant.quality(batch=4).check()

        def test_quality(variant):
            variant.quality(batch=4).check()
        """
    )
    outcome = project.measure("-ptimeout")
    assert "Timeout" in outcome.message("test_broken_off[slow]")
    assert_that_the_worse_variant_fails(outcome)


def test_an_abort_by_a_signal_handler_of_a_test(project: Project) -> None:
    project.suite(SUITE)
    project.thresholds(THRESHOLDS)
    project.tests(
        """
        import signal

        class TooLate(Exception):
            pass

        def raise_too_late(number, frame):
            raise TooLate

        def test_quality(variant):
            signal.signal(signal.SIGALRM, raise_too_late)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            try:
                variant.latency()
            except TooLate:
                broken_off = True
            assert broken_off
            variant.quality(batch=4).check()
        """
    )
    assert_that_the_worse_variant_fails(project.measure(budget_s=5))


def test_a_worker_that_made_room_is_started_again(project: Project) -> None:
    """Quality starts the baseline's worker, and only that of the baseline is kept beside it."""
    project.tests(
        """
        def test_both(variant):
            variant.quality(batch=4).check()
            variant.latency().check()
        """
    )
    outcome = project.measure("--infperf-variants=fast")
    outcome.assert_outcomes(passed=1)
    assert "SIGKILL" not in outcome.text
    assert outcome.measure("fast", "speedup")["value"] > 1
