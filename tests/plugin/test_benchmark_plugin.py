"""pytest-benchmark: latency tests appear in its table and files, and its options apply."""

from __future__ import annotations

import csv
import json
import sys
from typing import Any

import pytest

from tests.plugin.small_project import VARIANTS, Outcome, Project

DYING = """
    import os

    from pytest_infperf import Echo, Fake, Suite

    class Dying(Fake):
        def load(self, *arguments):
            runner = super().load(*arguments)
            infer, queries = runner.infer, []

            def infer_twice(features):
                queries.append(features)
                return infer(features) if len(queries) < 3 else os._exit(7)

            runner.infer = infer_twice
            return runner

    suite = Suite("echo", task=Echo(), model="../../model", variants=[Dying(id="dying")])
"""


def benchmarks(path: Any) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads(path.read_text())["benchmarks"]}


@pytest.fixture
def entries(measured: Outcome) -> dict[str, dict[str, Any]]:
    return benchmarks(measured.folder / "benchmark.json")


def test_each_latency_test_and_no_other_is_an_entry(entries: dict[str, dict[str, Any]]) -> None:
    assert set(entries) == {f"test_latency[{variant}]" for variant in VARIANTS}
    assert {entry["group"] for entry in entries.values()} == {"echo"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_times_equal_those_of_the_record(
    measured: Outcome, entries: dict[str, dict[str, Any]], variant: str
) -> None:
    stats = entries[f"test_latency[{variant}]"]["stats"]
    measures = measured.record(variant)["measures"]
    assert stats["rounds"] == measures["latency_mean"]["n"]
    for name in ("min", "max", "mean"):
        assert stats[name] == pytest.approx(measures[f"latency_{name}"]["value"], rel=1e-2)
    # pytest-benchmark interpolates between the two middle times, which differ on a busy host.
    assert stats["median"] == pytest.approx(measures["latency_p50"]["value"], rel=0.1)


def test_extra_info_has_the_measures_and_gates_of_all_tests(
    measured: Outcome, entries: dict[str, dict[str, Any]]
) -> None:
    info = entries["test_latency[wrong]"]["extra_info"]
    record = measured.record("wrong")
    assert info["measures"] == record["measures"]
    assert info["measures"]["accuracy"]["value"] == 75
    assert info["gates"] == record["gates"]
    assert {gate["measure"]: gate["verdict"] for gate in info["gates"]} == {
        "speedup": "pass",
        "accuracy": "fail",
    }
    assert info["host"] == measured.document["host"]
    assert (info["suite"], info["variant"]) == ("echo", "wrong")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_parameter_variant_is_the_variants_id(
    entries: dict[str, dict[str, Any]], variant: str
) -> None:
    assert entries[f"test_latency[{variant}]"]["params"] == {"variant": variant}


def test_the_table_shows_the_suite_as_a_group(measured: Outcome) -> None:
    assert measured.text.count("benchmark 'echo': 3 tests") == 1


def test_two_saved_runs_are_compared(project: Project) -> None:
    project.only_tests_of("latency")
    for _ in range(2):
        project.measure("--benchmark-autosave", "--infperf-variants=fast").assert_outcomes(passed=1)
    saved = sorted((project.folder / ".benchmarks").rglob("*.json"))
    assert len(saved) == 2
    assert project.pytester
    result = project.pytester.run(sys.executable, "-m", "pytest_benchmark", "compare")
    assert result.ret == 0
    result.stdout.fnmatch_lines_random(["*test_latency?fast? (0001*", "*test_latency?fast? (0002*"])


def test_benchmark_skip_skips_latency_tests_only(project: Project) -> None:
    project.only_tests_of("latency", "footprint")
    result = project.measure_here("--benchmark-skip", "--infperf-variants=fast")
    assert result.outcomes() == {"test_latency[fast]": "skipped", "test_footprint[fast]": "passed"}
    assert "latency_p50" not in result.record("fast")["measures"]


def test_benchmark_skip_starts_no_worker_for_what_it_skips(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        class Unbuildable(Fake):
            def build(self, *arguments):
                raise RuntimeError("was built")

        suite = Suite("echo", task=Echo(), model="../../model", variants=[Unbuildable()])
        """
    )
    project.only_tests_of("latency")
    project.measure_here("--benchmark-skip").assert_outcomes(skipped=1)


def test_benchmark_only_runs_the_latency_tests(project: Project) -> None:
    project.only_tests_of("latency", "footprint")
    result = project.measure_here("--benchmark-only", "--infperf-variants=fast")
    assert result.outcomes() == {"test_latency[fast]": "passed", "test_footprint[fast]": "skipped"}


def test_benchmark_disable_measures_without_a_table(project: Project) -> None:
    project.only_tests_of("latency")
    result = project.measure_here("--benchmark-disable", "--infperf-variants=fast")
    result.assert_outcomes(passed=1)
    assert result.measure("fast", "latency_p50")["value"] > 0
    assert "benchmark 'echo'" not in result.text


def test_without_pytest_benchmark_everything_is_measured(project: Project) -> None:
    project.only_tests_of("latency", "quality")
    result = project.measure("-p", "no:benchmark", "--strict-markers", "--infperf-variants=fast")
    result.assert_outcomes(passed=2)
    assert result.measure("fast", "latency_p50")["value"] > 0


def test_a_latency_that_a_helper_function_measures_is_an_entry(project: Project) -> None:
    project.tests(
        """
        def measure(variant):
            return variant.latency()

        def test_fast_enough(variant):
            measure(variant).check()
        """
    )
    result = project.measure_here("--benchmark-json=benchmark.json", "--infperf-variants=fast")
    result.assert_outcomes(passed=1)
    assert set(benchmarks(project.folder / "benchmark.json")) == {"test_fast_enough[fast]"}


def test_the_projects_own_benchmarks_are_not_changed(project: Project) -> None:
    project.only_tests_of("footprint")
    project.tests("def test_sum(benchmark): assert benchmark(sum, [1, 2]) == 3", "test_own.py")
    result = project.measure_here(
        "--benchmark-json=benchmark.json", "--benchmark-max-time=0.01", "--infperf-variants=fast"
    )
    result.assert_outcomes(passed=2)
    (entry,) = benchmarks(project.folder / "benchmark.json").values()
    assert entry["name"] == "test_sum"
    assert 0 < entry["stats"]["mean"] < 1


def test_a_users_benchmark_beside_variant_keeps_its_timer(project: Project) -> None:
    project.tests(
        """
        import time

        def test_both(variant, benchmark):
            variant.latency()
            benchmark.pedantic(time.sleep, (0.005,), rounds=3)

        def test_own(variant, benchmark):
            benchmark.pedantic(time.sleep, (0.005,), rounds=3)
        """
    )
    result = project.measure_here("--benchmark-json=benchmark.json", "--infperf-variants=fast")
    result.assert_outcomes(passed=2)
    entries = benchmarks(project.folder / "benchmark.json")
    assert set(entries) == {"test_both[fast]", "test_both[fast]#2", "test_own[fast]"}
    for name in ("test_both[fast]", "test_own[fast]"):
        assert entries[name]["group"] is None
        assert 0.005 <= entries[name]["stats"]["min"] < 0.1
    assert 0.0002 <= entries["test_both[fast]#2"]["stats"]["min"] < 0.005


def test_each_latency_of_a_test_is_a_row(project: Project) -> None:
    project.tests("def test_twice(variant): variant.latency(), variant.latency()")
    result = project.measure_here("--benchmark-json=benchmark.json", "--infperf-variants=fast")
    result.assert_outcomes(passed=1)
    entries = benchmarks(project.folder / "benchmark.json")
    assert set(entries) == {"test_twice[fast]", "test_twice[fast]#2"}
    assert {entry["fullname"] for entry in entries.values()} == {
        f"suites/echo/test_echo.py::{name}" for name in entries
    }
    for entry in entries.values():
        assert entry["params"] == {"variant": "fast"}
        assert entry["extra_info"]["variant"] == "fast"
        assert entry["stats"]["min"] >= 0.0002


def test_a_group_that_the_test_names_is_kept(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.benchmark(group="mine")
        def test_latency(variant): variant.latency()
        """
    )
    project.measure_here("--benchmark-json=benchmark.json", "--infperf-variants=fast")
    (entry,) = benchmarks(project.folder / "benchmark.json").values()
    assert entry["group"] == "mine"


def test_deselecting_benchmarks_by_their_mark_leaves_our_tests(project: Project) -> None:
    project.only_tests_of("latency", "footprint")
    result = project.measure_here("-m", "not benchmark", "--infperf-variants=fast")
    result.assert_outcomes(passed=2)
    assert result.measure("fast", "latency_p50")["value"] > 0


def test_a_csv_and_a_group_name_the_variant_by_its_id(project: Project) -> None:
    project.only_tests_of("latency")
    result = project.measure_here(
        "--benchmark-group-by=param:variant", "--benchmark-autosave", "--infperf-variants=fast"
    )
    assert "benchmark 'variant=fast': 1 tests" in result.text
    assert project.pytester
    compared = project.pytester.run(
        sys.executable, "-m", "pytest_benchmark", "compare", "--csv=compared.csv"
    )
    assert compared.ret == 0
    (row,) = csv.DictReader((project.folder / "compared.csv").read_text().splitlines())
    assert row["param:variant"] == "fast"


def test_a_worker_that_dies_gives_one_error(project: Project) -> None:
    """There is no second error that pytest-benchmark's fixture was not used."""
    project.suite(DYING)
    project.tests(
        """
        def test_latency(variant):
            variant.latency()

        def test_after_something_else(variant):
            variant.quality()
            variant.latency()
        """
    )
    result = project.measure_here("-Werror::pytest.PytestWarning")
    assert result.outcomes() == {
        "test_latency[dying]": "failed",
        "test_after_something_else[dying]": "failed",
    }
    result.assert_outcomes(failed=2)
    assert "ended with exit code 7" in result.message("test_latency[dying]")
    assert "was not used at all" not in result.text


def test_a_called_function_whose_worker_dies_gives_one_error(project: Project) -> None:
    project.tests(
        """
        import multiprocessing
        import os

        def fatal():
            if os.getpid() != PARENT:
                os._exit(7)

        PARENT = int(os.environ.setdefault("PARENT_OF_FATAL", str(os.getpid())))

        def test_fatal(infperf_benchmark):
            infperf_benchmark(fatal)
        """,
        "test_fatal.py",
    )
    result = project.measure_here("-Werror::pytest.PytestWarning", "test_fatal.py")
    assert result.outcomes() == {"test_fatal": "failed"}
    result.assert_outcomes(failed=1)
    assert "ended with exit code 7" in result.message("test_fatal")
    assert "was not" not in result.text


def test_a_test_with_a_fixture_of_its_own_gives_one_error_if_its_worker_dies(
    project: Project,
) -> None:
    project.suite(DYING)
    project.tests(
        """
        def test_latency(variant, benchmark):
            variant.latency()
            benchmark(lambda: None)
        """
    )
    result = project.measure_here("-Werror")
    result.assert_outcomes(failed=1)
    assert "ended with exit code 7" in result.message("test_latency[dying]")
    assert "was not used at all" not in result.text


def test_pytest_codspeed_is_active_side_by_side(project: Project) -> None:
    """With --codspeed, only tests that use the fixture `benchmark` are run."""
    pytest.importorskip("pytest_codspeed")
    project.only_tests_of("latency", "footprint")
    project.tests("def test_sum(benchmark): assert benchmark(sum, [1, 2]) == 3", "test_own.py")
    result = project.measure("--codspeed", "--infperf-variants=fast")
    assert result.outcomes() == {"test_latency[fast]": "passed", "test_sum": "passed"}
    assert result.measure("fast", "latency_p50")["value"] > 0


def test_runs_side_by_side_are_all_saved(project: Project) -> None:
    """Both runs are ready to save; the first one waits, so that the other can number its file."""
    project.only_tests_of("latency")
    project.write(
        "conftest.py",
        """
        import os
        import time
        from pathlib import Path

        from pytest_benchmark.storage.file import FileStorage

        def meet(where, limit_s):
            Path(f"{where}.{os.getpid()}").touch()
            until = time.monotonic() + limit_s
            while len([*Path().glob(f"{where}.*")]) < 2 and time.monotonic() < until:
                time.sleep(0.01)

        def pytest_runtest_teardown():
            meet("measured", 30)

        next_number = FileStorage._next_num.fget

        def numbered(storage):
            number = next_number(storage)
            meet("numbered", 1)
            return number

        FileStorage._next_num = property(numbered)
        """,
    )
    runs = [
        project.start("--benchmark-autosave", "-k", "fast", f"--infperf-json=run{number}.json")
        for number in range(2)
    ]
    try:
        outcomes = [project.finish(run) for run in runs]
    finally:
        for run in runs:
            run.kill()
    assert [outcome.ret for outcome in outcomes] == [0, 0]
    assert len([*project.folder.glob("numbered.*")]) == 2
    saved = sorted((project.folder / ".benchmarks").glob("*/*.json"))
    assert [path.name[:4] for path in saved] == ["0001", "0002"]
