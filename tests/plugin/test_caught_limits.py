"""A test that catches the error of a limit: the run fails, and says which test it was."""

from __future__ import annotations

from textwrap import indent

import pytest

from tests.plugin.small_project import Outcome, Project

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    suite = Suite(
        "echo",
        task=Echo(),
        model="../../model",
        variants=[Fake(id="large", size_bytes=5000, wrong=0.5)],
    )
"""
CAUGHT = "the error of a limit was caught in suites/echo/test_echo.py::test_size[large]"
UNDECIDED = "[echo.gates]\naccuracy = { min = 48 }\n"
"""A limit at the very score of the variant."""


@pytest.fixture
def limited(project: Project) -> Project:
    project.suite(SUITE)
    project.thresholds('[echo.gates]\nsize = { max = "1 kB" }\n')
    return project


def write(project: Project, body: str, decorator: str = "") -> None:
    project.tests(
        f"import pytest\nfrom pytest_infperf.errors import GateBroken\n\n{decorator}\n"
        f"def test_size(variant, subtests):\n{indent(body, ' ' * 4)}\n"
    )


def verdict(outcome: Outcome) -> str:
    (gate,) = outcome.record("large")["gates"]
    return str(gate["verdict"])


CATCHING = "with pytest.raises(GateBroken):\n    variant.footprint().check()"


def test_a_caught_limit_fails_the_test_and_the_run(limited: Project) -> None:
    write(limited, CATCHING)
    outcome = limited.measure()
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    assert outcome.outcomes() == {"test_size[large]": "failed"}
    assert verdict(outcome) == "fail"
    assert "FAIL echo[large] size 5 kB is above the limit of 1 kB" in outcome.words
    assert f"ERROR echo[large] {CAUGHT}" in outcome.words
    assert "FAIL size" in outcome.message("test_size[large]")
    assert "thresholds.toml:3" in outcome.message("test_size[large]")


@pytest.mark.parametrize(
    "body",
    [
        f"{CATCHING}\npytest.skip('enough')",
        f"with subtests.test():\n{indent(CATCHING, ' ' * 4)}",
    ],
    ids=["skipped", "in a subtest"],
)
def test_a_test_that_goes_on_otherwise_fails_too(limited: Project, body: str) -> None:
    write(limited, body)
    outcome = limited.measure_here()
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    assert CAUGHT in outcome.message("test_size[large]")


FIXTURE = """
    import pytest
    from pytest_infperf.errors import GateBroken

    @pytest.fixture
    def checked(variant):
        yield
        {}

    def test_size(checked): pass
    """


def test_a_limit_caught_in_the_teardown_of_a_fixture_fails_the_run(limited: Project) -> None:
    limited.tests(FIXTURE.format(CATCHING.replace("\n", f"\n{' ' * 8}")))
    outcome = limited.measure()
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    outcome.assert_outcomes(passed=1, errors=1)
    assert verdict(outcome) == "fail"
    assert f"ERROR echo[large] {CAUGHT}" in outcome.words


def test_a_limit_met_in_the_teardown_of_a_fixture_is_judged(limited: Project) -> None:
    limited.thresholds('[echo.gates]\nsize = { max = "1 MB" }\n')
    limited.tests(FIXTURE.format("variant.footprint().check()"))
    outcome = limited.measure_here()
    assert outcome.ret == pytest.ExitCode.OK
    assert verdict(outcome) == "pass"


def test_a_limit_broken_in_the_teardown_of_a_fixture_is_reported_once(limited: Project) -> None:
    limited.tests(FIXTURE.format("variant.footprint().check()"))
    outcome = limited.measure_here()
    outcome.assert_outcomes(passed=1, errors=1)
    assert verdict(outcome) == "fail"
    assert "was caught" not in outcome.text


def test_a_caught_inconclusive_limit_fails_the_test(limited: Project) -> None:
    limited.thresholds(UNDECIDED)
    write(limited, CATCHING.replace("footprint()", "quality()"))
    outcome = limited.measure_here()
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    assert verdict(outcome) == "inconclusive"
    assert CAUGHT in outcome.message("test_size[large]")


def test_a_tolerated_limit_is_not_caught(limited: Project) -> None:
    limited.thresholds(f'[defaults]\ninconclusive = "warn"\n{UNDECIDED}')
    write(limited, "variant.quality().check()")
    outcome = limited.measure()
    assert outcome.ret == pytest.ExitCode.OK
    assert verdict(outcome) == "inconclusive"


def test_an_expected_failure_may_be_caught(limited: Project) -> None:
    write(limited, CATCHING, "@pytest.mark.xfail")
    outcome = limited.measure_here()
    assert outcome.ret == pytest.ExitCode.OK
    assert verdict(outcome) == "xfailed"


def test_a_failed_subtest_is_reported_once(limited: Project) -> None:
    write(limited, "with subtests.test():\n    variant.footprint().check()")
    outcome = limited.measure_here()
    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    assert "was caught" not in outcome.text


def test_measures_without_a_check_are_not_judged_by_a_test(limited: Project) -> None:
    write(limited, "assert variant.footprint()['size'].value == 5000")
    outcome = limited.measure_here()
    assert outcome.outcomes() == {"test_size[large]": "passed"}
