"""infperf_benchmark: any function is called, measured, and compared with its other revision."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.plugin.small_project import Outcome, Project
from tests.plugin.test_against import commit

PRICING = """
    import time

    def steady(basket):
        time.sleep(0.010)
        return sum(basket)

    def slowed(basket):
        time.sleep({seconds})
        return sum(basket)

    def failing_there(basket):
        {there}
        return sum(basket)
"""
NEW_FUNCTION = """
    def new(basket):
        return sum(basket)
"""
TESTS = """
    import pytest
    from shop import pricing

    @pytest.mark.parametrize("name", {names})
    def test_total(infperf_benchmark, name):
        assert infperf_benchmark(getattr(pricing, name), basket=[1, 2]) == 3
"""
NAMES = ["steady", "slowed", "failing_there", "new"]


def without_suite(project: Project) -> Project:
    """Remove the suite, and let the project import its code from `src`."""
    for folder in ("suites", "model"):
        shutil.rmtree(project.folder / folder)
    ini = project.folder / "pytest.ini"
    ini.write_text(ini.read_text() + "pythonpath = src\n")
    return project


def write_pricing(project: Project, seconds: float, there: str = "pass", more: str = "") -> None:
    project.write("src/shop/__init__.py", "")
    project.write("src/shop/pricing.py", PRICING.format(seconds=seconds, there=there) + more)


@pytest.fixture
def shop(project: Project) -> Project:
    """Return a project without a suite that has one function and one test of it."""
    write_pricing(without_suite(project), 0.001)
    project.tests(TESTS.format(names=["steady"]), "tests/test_pricing.py")
    return project


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return a run of four functions against HEAD~1, where one was faster and one did not exist."""
    project = without_suite(Project(tmp_path_factory.mktemp("shop"), shared_cache))
    project.tests(TESTS.format(names=NAMES), "tests/test_pricing.py")
    project.thresholds('[test_pricing.gates]\nregression = { max = "50 %" }\n')
    write_pricing(project, 0.010, there="basket = basket.missing")
    commit(project)
    write_pricing(project, 0.020, more=NEW_FUNCTION)
    commit(project)
    return project.measure("--infperf-against=HEAD~1", "--benchmark-json=b.json", budget_s=1)


def test_only_the_slower_function_breaks_the_limit(compared: Outcome) -> None:
    assert compared.outcomes() == {
        "test_total[steady]": "passed",
        "test_total[slowed]": "failed",
        "test_total[failing_there]": "failed",
        "test_total[new]": "passed",
    }, compared.text
    record = compared.record("test_total[slowed]", "test_pricing")
    assert record["measures"]["regression"]["low"] > 0.5
    assert [gate["verdict"] for gate in record["gates"]] == ["fail"]
    assert "is above the limit of 50.0 %" in compared.message("test_total[slowed]")
    steady = compared.record("test_total[steady]", "test_pricing")
    assert [gate["verdict"] for gate in steady["gates"]] == ["pass"]


def test_a_function_that_cannot_be_measured_there_is_inconclusive(compared: Outcome) -> None:
    message = compared.message("test_total[failing_there]")
    assert "INCONCLUSIVE test_pricing[test_total[failing_there]] regression" in message
    assert "'list' object has no attribute 'missing'" in message


def test_a_new_function_is_listed_and_measured(compared: Outcome) -> None:
    new = compared.record("test_total[new]", "test_pricing")
    assert new["evidence"]["against"]["only_here"] is True
    assert new["gates"] == []
    assert new["measures"]["latency_p50"]["n"] > 0
    assert re.search(
        r"HEAD~1 \([0-9a-f]+\) has no function shop\.pricing:new for "
        r"test_pricing\[test_total\[new\]\] to compare with",
        compared.words,
    )


def test_the_rows_of_pytest_benchmark_hold_the_records(compared: Outcome) -> None:
    document = json.loads((compared.folder / "b.json").read_text())
    rows = {row["fullname"]: row for row in document["benchmarks"]}
    row = rows["tests/test_pricing.py::test_total[steady]"]
    assert row["group"] == "test_pricing"
    assert row["extra_info"]["variant"] == "test_total[steady]"
    assert row["params"] == {"name": "steady"}


def test_without_the_option_a_function_is_called_once(shop: Project) -> None:
    shop.write(
        "src/shop/calls.py", "def noted(path):\n    path.open('a').write('x')\n    return 5\n"
    )
    shop.tests(
        """
        from pathlib import Path
        from shop.calls import noted

        def test_noted(infperf_benchmark):
            assert infperf_benchmark(noted, Path("calls.txt")) == 5
        """,
        "tests/test_calls.py",
    )
    shop.plain("tests/test_calls.py").assert_outcomes(passed=1)
    assert (shop.folder / "calls.txt").read_text() == "x"
    assert shop.plain("-m", "not infperf").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_limit_on_latency_is_judged_without_a_revision(shop: Project) -> None:
    shop.thresholds('[test_pricing.variants."test_total[steady]"]\nlatency_p50.max = "1 ms"\n')
    result = shop.measure_here()
    assert result.outcomes() == {"test_total[steady]": "failed"}
    message = result.message("test_total[steady]")
    assert "queries took longer than 1 ms" in message
    assert "profile the function to find where it spends its time" in message
    assert [
        gate["measure"] for gate in result.record("test_total[steady]", "test_pricing")["gates"]
    ] == ["latency_p50"]


def test_regressions_have_a_limit_by_default(shop: Project) -> None:
    commit(shop)
    shop.thresholds('[defaults]\ninconclusive = "warn"\n')
    result = shop.measure_here("--infperf-against=HEAD", budget_s=0.1)
    (gate,) = result.record("test_total[steady]", "test_pricing")["gates"]
    assert (gate["measure"], gate["limit"]) == ("regression", 'max = "5 %"')
    assert gate["source"] == "thresholds.toml [test_pricing.gates] regression, a default"


def test_functions_that_a_worker_cannot_call_are_errors(shop: Project) -> None:
    shop.tests(
        """
        import threading
        from functools import partial
        from shop.pricing import steady

        async def fetch(): ...

        def test_lambda(infperf_benchmark):
            infperf_benchmark(lambda: 1)

        def test_inner(infperf_benchmark):
            def inner(): ...
            infperf_benchmark(inner)

        def test_partial(infperf_benchmark):
            infperf_benchmark(partial(steady, [1]))

        def test_lock(infperf_benchmark):
            infperf_benchmark(steady, threading.Lock())

        def test_coroutine(infperf_benchmark):
            infperf_benchmark(fetch)

        def test_twice(infperf_benchmark):
            infperf_benchmark(steady, [1])
            infperf_benchmark(steady, [1])

        def test_never(infperf_benchmark):
            pass

        class Local: pass

        class TestBuiltins:
            def test_sorted(self, infperf_benchmark):
                assert infperf_benchmark(sorted, [2, 1]) == [1, 2]
        """,
        "tests/test_pricing.py",
    )
    result = shop.measure_here(budget_s=0.05)
    outcomes = result.outcomes()
    assert outcomes.pop("test_sorted") == "passed"
    assert set(outcomes.values()) == {"failed"}
    for name in ("lambda", "inner", "partial"):
        assert "write a function at the top level of a module" in result.message(f"test_{name}")
    assert "its arguments cannot be pickled" in result.message("test_lock")
    assert "only creates a coroutine" in result.message("test_coroutine")
    assert "was called twice in one test" in result.message("test_twice")
    assert "was not called: nothing was measured" in result.message("test_never")


def test_a_function_outside_of_the_repository_is_not_compared(shop: Project) -> None:
    shop.tests(
        """
        import json

        def test_dumps(infperf_benchmark):
            assert infperf_benchmark(json.dumps, [1]) == "[1]"
        """,
        "tests/test_pricing.py",
    )
    commit(shop)
    result = shop.measure_here("--infperf-against=HEAD", budget_s=0.05)
    assert result.outcomes() == {"test_dumps": "failed"}
    assert "is outside the repository" in result.message("test_dumps")
    assert "INCONCLUSIVE" in result.message("test_dumps")


def test_one_worker_of_xdist_measures_all_functions(shop: Project) -> None:
    shop.tests(TESTS.format(names=["steady", "slowed"]), "tests/test_pricing.py")
    shop.tests(TESTS.format(names=["steady"]), "tests/test_more.py")
    result = shop.measure("-n2", "-v", budget_s=0.1)
    result.assert_outcomes(passed=3)
    workers = {
        line.split("]")[0]
        for line in result.outlines
        if line.startswith("[gw") and "PASSED" in line
    }
    assert len(workers) == 1, result.text
    assert len(result.document["records"]) == 3


def test_a_section_must_match_the_tests(shop: Project) -> None:
    shop.thresholds('[test_pricing.variants."test_totl"]\nlatency_p50.max = "1 ms"\n')
    result = shop.measure_here()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "unknown variant" in result.words
    assert "test_total[steady]" in result.words
    shop.thresholds('[test_pricing]\nbaseline = "test_total[steady]"\n')
    assert "[test_pricing] has a baseline" in shop.measure_here().words
    shop.thresholds("[test_pricing.gates]\nsize = { max_ratio = 1 }\n")
    assert "no test of this suite measures it" in shop.measure_here().words
    shop.thresholds('[test_pricng.gates]\nlatency_p50.max = "1 s"\n')
    assert "unknown suite" in shop.measure_here().words


def test_sections_of_tests_that_are_not_selected_are_left_alone(shop: Project) -> None:
    shop.tests(TESTS.format(names=["steady"]), "tests/test_more.py")
    shop.write("tests/test_other.py", "def test_other(): pass\n")
    shop.tests(
        """
        from shop.pricing import steady

        class TestInside:
            def test_steady(self, infperf_benchmark):
                infperf_benchmark(steady, [1])

        def test_outside(infperf_benchmark):
            infperf_benchmark(steady, [1])
        """,
        "tests/test_pricing.py",
    )
    shop.thresholds(
        """
        [test_more.gates]
        latency_p50.max = "1 s"
        [test_pricing.variants."TestInside::test_steady"]
        latency_p50.max = "1 s"
        """
    )
    shop.measure_here("tests/test_other.py").assert_outcomes(passed=1)
    shop.measure_here("tests/test_pricing.py::test_outside", budget_s=0.05).assert_outcomes(
        passed=1
    )


def test_two_suites_of_one_name_are_refused(shop: Project) -> None:
    for name in ("a", "b"):
        shop.write(f"{name}/__init__.py", "")
        shop.tests(TESTS.format(names=["steady"]), f"{name}/test_pricing.py")
    result = shop.measure_here("a", "b")
    assert (
        "two files with tests that use infperf_benchmark are called test_pricing.py" in result.words
    )


def test_a_benchmark_beside_a_suite(project: Project) -> None:
    """Tests of a suite and of functions are measured in one run, in the same folder."""
    project.only_tests_of("latency")
    project.write("suites/echo/shop.py", "def total(basket):\n    return sum(basket)\n")
    project.tests(
        """
        from shop import total

        def test_total(infperf_benchmark):
            assert infperf_benchmark(total, [1, 2]) == 3

        def test_both(infperf_benchmark, variant):
            pass
        """,
        "suites/echo/test_shop.py",
    )
    result = project.measure_here("--infperf-variants=slow", budget_s=0.1)
    assert result.outcomes() == {
        "test_latency[slow]": "passed",
        "test_total": "passed",
        "test_both[slow]": "error",
    }
    assert "and not both" in result.message("test_both[slow]")
