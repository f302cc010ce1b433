"""Selection and order of variants, the baseline, and values of options."""

from __future__ import annotations

import pytest

from tests.other_plugins import LEFT_OUT
from tests.plugin.small_project import METHODS, VARIANTS, Outcome, Project

USAGE_ERROR = pytest.ExitCode.USAGE_ERROR


def test_every_method_of_every_variant_is_a_test(measured: Outcome) -> None:
    assert set(measured.outcomes()) == {f"test_{m}[{v}]" for m in METHODS for v in VARIANTS}


def test_the_baseline_is_measured_first_and_tests_are_grouped_by_variant(
    measured: Outcome,
) -> None:
    variants = [test.partition("[")[2].rstrip("]") for test in measured.outcomes()]
    assert variants == [variant for variant in VARIANTS for _ in METHODS]


def test_tests_of_two_files_are_grouped_by_variant_too(project: Project) -> None:
    project.only_tests_of("footprint")
    project.tests(
        "def test_more(variant): variant.footprint()\ndef test_none(): pass\n",
        "suites/echo/test_more.py",
    )
    ids = project.collect("-q", "-pno:randomly").outlines
    order = [line.split("::")[1] for line in ids if "::" in line]
    assert order == [
        "test_footprint[slow]",
        "test_more[slow]",
        "test_footprint[fast]",
        "test_more[fast]",
        "test_footprint[wrong]",
        "test_more[wrong]",
        "test_none",
    ]
    assert not (project.folder / "infperf.json").exists()


def test_the_baseline_is_first_also_if_only_some_of_its_tests_are_selected(
    project: Project,
) -> None:
    ids = project.collect("-q", "-pno:randomly", "-k", "quality or (latency and fast)").outlines
    order = [line.split("::")[1] for line in ids if "::" in line]
    assert order == [
        "test_quality[slow]",
        "test_latency[fast]",
        "test_quality[fast]",
        "test_quality[wrong]",
    ]


def test_variant_ids_combine_with_other_parameters(project: Project) -> None:
    project.tests(
        """
        import pytest

        @pytest.mark.parametrize("batch", [1, 8])
        class TestBatches:
            def test_throughput(self, variant, batch):
                assert variant.throughput(batch=batch)["throughput"].n == 40
        """
    )
    result = project.measure_here("-k", "fast")
    assert set(result.outcomes()) == {"test_throughput[fast-1]", "test_throughput[fast-8]"}
    result.assert_outcomes(passed=2, deselected=4)


def test_a_glob_selects_variants_and_the_baseline_is_compared_without_tests(
    project: Project,
) -> None:
    project.only_tests_of("latency")
    result = project.measure_here("--infperf-variants", "f*")
    assert result.outcomes() == {"test_latency[fast]": "passed"}
    assert result.measure("fast", "speedup")["value"] > 2
    assert result.record("fast")["settings"]["baseline_id"] == "slow"


def test_a_glob_that_matches_nothing_is_a_usage_error(project: Project) -> None:
    result = project.collect("--infperf-variants", "onnx*")
    assert result.ret == USAGE_ERROR
    assert "--infperf-variants: 'onnx*' matches none of fast, slow, wrong" in result.words


def test_another_baseline_can_be_named(project: Project) -> None:
    project.only_tests_of("latency")
    result = project.measure_here("--infperf-baseline", "fast")
    assert next(iter(result.outcomes())) == "test_latency[fast]"
    assert "speedup" not in result.record("fast")["measures"]
    assert result.measure("slow", "speedup")["value"] < 0.5


def test_limits_of_another_baseline_that_are_not_judged_are_named(project: Project) -> None:
    """The file's baseline is `slow`; a limit of `fast` against it holds in other runs."""
    project.only_tests_of("latency")
    project.thresholds(
        """
        [echo]
        baseline = "slow"
        [echo.gates]
        latency_p50 = { max = "1 s" }
        [echo.variants.fast]
        speedup = { min = 1.1 }
        """
    )
    result = project.measure_here("--infperf-baseline", "fast")
    result.assert_outcomes(passed=3)
    assert (
        "limits of echo[fast] that are not judged, because it is the baseline by "
        "--infperf-baseline: thresholds.toml:7" in result.words
    )
    assert "not judged" not in project.measure_here("--infperf-baseline", "slow").words


def test_an_unknown_baseline_is_a_usage_error_with_the_nearest_name(project: Project) -> None:
    result = project.collect("--infperf-baseline", "slwo")
    assert result.ret == USAGE_ERROR
    assert "--infperf-baseline: no suite has a variant 'slwo'; did you mean slow?" in result.words


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("threads", "many", "'many' is not a whole number of at least 1 or \"best\""),
        ("threads", "0", "'0' is not a whole number of at least 1 or \"best\""),
        ("budget", "soon", "'soon' is not a number of seconds above 0"),
        ("budget", "-1", "'-1' is not a number of seconds above 0"),
        ("budget", "nan", "'nan' is not a number of seconds above 0"),
        ("timeout", "inf", "'inf' is not a number of seconds above 0"),
        ("seed", "1.5", "'1.5' is not a whole number of at least 0"),
        ("thresholds", "missing.toml", "there is no file"),
    ],
)
def test_an_invalid_value_of_an_option_is_a_usage_error(
    pytester: pytest.Pytester, option: str, value: str, complaint: str
) -> None:
    result = pytester.runpytest_inprocess(*LEFT_OUT, "--infperf", f"--infperf-{option}={value}")
    assert result.ret == USAGE_ERROR
    assert f"--infperf-{option}: " in result.stderr.str()
    assert complaint in result.stderr.str()


def test_an_invalid_value_in_the_ini_file_is_a_usage_error(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\ninfperf_budget = soon\n")
    result = project.plain("--infperf")
    assert result.ret == USAGE_ERROR
    assert "infperf_budget in " in result.words
    assert "pytest.ini: 'soon' is not a number of seconds above 0" in result.words


def test_every_option_has_an_ini_key(project: Project) -> None:
    project.only_tests_of("quality")
    project.write("limits.toml", "schema = 1\n[echo.gates]\naccuracy = { min = 90 }\n")
    project.write(
        "pytest.ini",
        f"""
        [pytest]
        addopts = --strict-config
        infperf = true
        infperf_full = true
        infperf_thresholds = limits.toml
        infperf_json = infperf.json
        infperf_budget = 0.2
        infperf_variants = wr*
        infperf_baseline = fast
        infperf_threads = 1
        infperf_cache = {project.cache}
        infperf_seed = 3
        infperf_timeout = 50
        """,
    )
    result = project.plain()
    assert result.outcomes() == {"test_quality[wrong]": "failed"}
    assert "limits.toml:3" in result.message("test_quality[wrong]")
    settings = result.record("wrong")["settings"]
    assert (settings["baseline_id"], settings["threads"], settings["seed"]) == ("fast", 1, 3)


def test_the_command_line_takes_precedence_over_the_ini_file(project: Project) -> None:
    project.only_tests_of("footprint")
    with (project.folder / "pytest.ini").open("a") as ini:
        ini.write("infperf_variants = nothing\n")
    project.measure_here("--infperf-variants", "*t").assert_outcomes(passed=1)


def test_a_test_without_a_suite_beside_it_cannot_be_collected(project: Project) -> None:
    project.tests("def test_lost(variant): pass", "elsewhere/test_lost.py")
    result = project.collect("elsewhere")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "there is no suite.py beside it" in result.words
    assert "Traceback" not in result.text


def test_a_suite_file_without_a_suite_is_reported(project: Project) -> None:
    project.suite("suites = []")
    result = project.collect()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "suites/echo/suite.py must define `suite = Suite(...)`" in result.words


def test_two_variants_with_the_same_name_are_reported(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite
        suite = Suite("echo", task=Echo(), model="../../model", variants=[Fake(), Fake(wrong=1)])
        """
    )
    result = project.collect()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert (
        "suite.py:2: Suite('echo'): several variants have the name fake; "
        "give one of them a different id"
    ) in result.words


def test_a_run_without_variants_does_not_pass(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Suite
        suite = Suite("echo", task=Echo(), model="../../model", variants=[])
        """
    )
    result = project.collect()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "suite.py:2: Suite('echo'): variants is empty" in result.words


def test_two_suites_of_one_name_are_named(project: Project) -> None:
    for name in ("echo", "again"):
        project.suite((project.folder / "suites/echo/suite.py").read_text(), f"suites/{name}")
        project.tests("def test_it(variant): pass", f"suites/{name}/test_{name}.py")
    result = project.collect()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "two suites are called 'echo'" in result.words
    assert "need unique names" in result.words


def test_a_suite_that_cannot_be_imported_is_the_only_error(project: Project) -> None:
    project.thresholds("[translation.gates]\naccuracy = { min = 90 }\n")
    project.suite("import a_package_that_nobody_has\n", "suites/translate")
    project.tests("def test_it(variant): variant.quality()", "suites/translate/test_translate.py")
    result = project.collect()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "No module named 'a_package_that_nobody_has'" in result.words
    assert "ERROR: thresholds.toml" not in result.text, "its suite may be the missing one"


@pytest.mark.parametrize("verbosity", ["-v", "-vv"])
def test_a_misspelt_keyword_is_shown_in_two_lines(project: Project, verbosity: str) -> None:
    project.suite("from pytest_infperf import Fake\n\nvariant = Fake(id='a', quick=1)\n")
    result = project.collect(verbosity, "-rN")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    start = next(i for i, line in enumerate(result.outlines) if "ERROR collecting" in line)
    shown = result.outlines[start + 1 :]
    message = [
        f"{project.folder}/suites/echo/suite.py:3: variant = Fake(id='a', quick=1)",
        "TypeError: Fake.__init__() got an unexpected keyword argument 'quick'",
    ]
    assert message[0] in shown
    assert message[1] in shown
    assert (shown[:2] == message) == (verbosity == "-v")
    assert ("exec_module" in result.text) == (verbosity == "-vv")


def test_a_mistake_in_a_suite_names_its_file_and_line(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite, Sweep

        sweeps = [Sweep("batch", (4, 2))]
        suite = Suite("echo", task=Echo(), model="../../model", variants=[Fake()], sweeps=sweeps)
        """
    )
    result = project.collect()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert (
        "suites/echo/suite.py:3: Sweep('batch'): values=[4, 2] must be two or more" in result.words
    )
