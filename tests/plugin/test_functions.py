"""Functions of a project are measured, scored and compared like all other variants."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.small_project import METHODS, Outcome, Project
from tests.plugin.test_against import commit

SUITE = """
    from pytest_infperf import Custom, Function, Suite

    suite = Suite(
        "echo",
        task=Custom(data="data:read", metrics=["accuracy"]),
        variants=[
            Function("shop.inference:load", id="right"),
            Function("shop.inference:load_wrong", id="wrong"),
            Function("shop.inference:load", id="with model", model="../../model"),
        ],
    )
"""
DATA = """
    def read():
        return [(f"sample {i}", i % 7) for i in range(40)]
"""
INFERENCE = """
    def remainder(text):
        return int(text.split()[1]) % 7

    def load(folder, threads):
        return lambda texts: [remainder(text) for text in texts]

    def load_wrong(folder, threads):
        return lambda texts: [3 for text in texts]
"""
ONE = """
    from pytest_infperf import {names}, Suite

    suite = Suite("echo", task={task}, {more} variants=[{variants}])
"""


def write_code(project: Project) -> None:
    project.suite(SUITE)
    project.write("suites/echo/data.py", DATA)
    project.write("shop/__init__.py", "")
    project.write("shop/inference.py", INFERENCE)


def suite_of(project: Project, variants: str, task: str, names: str, more: str = "") -> None:
    project.suite(ONE.format(variants=variants, task=task, names=names, more=more))


@pytest.fixture(scope="module")
def measured_functions(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    project = Project(tmp_path_factory.mktemp("functions"), shared_cache)
    write_code(project)
    project.thresholds(
        """
        [echo.gates]
        accuracy = { min = 90 }
        latency_p50 = { max = "1 s" }
        throughput = { min = 1 }
        peak_memory = { max = "100 GB" }
        [echo.variants."with model"]
        size = { max = "1 kB" }
        latency_p50 = { max = "1 ns" }
        throughput = { min = 1e12 }
        peak_memory = { max = "1 kB" }
        [echo.variants.wrong]
        size = { max = "1 kB" }
        """
    )
    return project.measure()


def test_limits_decide_which_tests_of_functions_pass(measured_functions: Outcome) -> None:
    outcomes = measured_functions.outcomes()
    failed = {name for name, outcome in outcomes.items() if outcome != "passed"}
    assert failed == {
        "test_quality[wrong]",
        "test_footprint[wrong]",
        "test_latency[with model]",
        "test_throughput[with model]",
        "test_footprint[with model]",
    }, measured_functions.text
    assert len(outcomes) == 3 * len(METHODS)
    assert measured_functions.measure("right", "accuracy")["value"] == 100
    assert measured_functions.measure("wrong", "accuracy")["value"] == 15


def test_the_size_is_that_of_the_models_files(measured_functions: Outcome) -> None:
    assert measured_functions.measure("with model", "size")["value"] == len(
        "a model of no weight\n"
    )
    assert "size" not in measured_functions.record("right")["measures"]
    message = " ".join(measured_functions.message("test_footprint[wrong]").split())
    assert "wrong has no model files to measure" in message
    assert "Function(..., model=...), or remove the limit" in message


def test_a_quality_that_broke_in_the_working_tree_is_found(project: Project) -> None:
    write_code(project)
    project.only_tests_of("quality")
    project.thresholds("[echo.gates]\naccuracy = { max_regression = 5 }\n")
    commit(project)
    project.write("shop/inference.py", INFERENCE.replace("% 7", "% 6"))
    outcome = project.measure("--infperf-against=HEAD")
    assert outcome.outcomes() == {
        "test_quality[right]": "failed",
        "test_quality[wrong]": "passed",
        "test_quality[with model]": "failed",
    }, outcome.text


def test_a_module_that_is_missing_is_an_error_with_its_remedy(project: Project) -> None:
    write_code(project)
    (project.folder / "shop" / "inference.py").rename(project.folder / "shop" / "inferring.py")
    project.only_tests_of("quality")
    outcome = project.measure_here()
    assert {*outcome.outcomes().values()} == {"error"}
    message = " ".join(outcome.message("test_quality[right]").split())
    assert "there is no module shop.inference; did you mean inferring?" in message
    assert "It must be beside suite.py or in the project's root, or be installed" in message


def test_outputs_that_are_none_or_nan_fail_the_quality(project: Project) -> None:
    write_code(project)
    code = INFERENCE.replace("[3 for", "[None if '3' in text else float('nan') for")
    project.write("shop/inference.py", code)
    project.only_tests_of("quality")
    project.thresholds("[echo.gates]\naccuracy = { min = 0 }\n")
    outcome = project.measure_here()
    assert outcome.outcomes()["test_quality[wrong]"] == "failed"
    assert "40 of 40 outputs are not finite" in outcome.message("test_quality[wrong]")


def test_outputs_that_json_lacks_are_an_error_with_its_remedy(project: Project) -> None:
    write_code(project)
    project.write("shop/inference.py", INFERENCE.replace("[3 for", "[{3} for"))
    project.only_tests_of("quality")
    outcome = project.measure_here()
    assert outcome.outcomes()["test_quality[wrong]"] == "failed"
    message = " ".join(outcome.message("test_quality[wrong]").split())
    assert "wrong returns outputs that JSON cannot express (Object of type set" in message


def test_data_that_differs_from_process_to_process_is_an_error(project: Project) -> None:
    write_code(project)
    project.write(
        "suites/echo/data.py",
        """
        from random import randrange

        def read():
            return [(f"sample {randrange(10**9)}", 1) for _ in range(40)]
        """,
    )
    project.only_tests_of("quality")
    outcome = project.measure_here()
    assert {*outcome.outcomes().values()} == {"error"}
    assert "differs from process to process" in outcome.message("test_quality[right]")


def test_a_task_with_settings_compares_only_functions_that_declare_them(project: Project) -> None:
    write_code(project)
    project.write("suites/echo/task.py", DECODING_TASK)
    project.write(
        "shop/inference.py",
        """
        def load(folder, threads):
            return lambda texts: list(texts)

        def load_declared(folder, threads):
            def answer(texts):
                return list(texts)
            answer.decoding = {"beams": 4}
            return answer
        """,
    )
    project.suite(
        """
        from pytest_infperf import Fake, Function, Suite
        from .task import Decoded

        suite = Suite(
            "echo",
            task=Decoded(),
            model="../../model",
            baseline="fake",
            variants=[
                Fake(),
                Function("shop.inference:load", id="silent"),
                Function("shop.inference:load_declared", id="declared"),
            ],
        )
        """
    )
    project.only_tests_of("quality")
    outcome = project.measure_here()
    assert outcome.outcomes() == {
        "test_quality[fake]": "passed",
        "test_quality[silent]": "failed",
        "test_quality[declared]": "passed",
    }, outcome.text
    message = " ".join(outcome.message("test_quality[silent]").split())
    assert "silent does not say how it decodes" in message
    assert "the task has {'beams': 4}. Set the attribute `decoding`" in message


DECODING_TASK = """
    from dataclasses import dataclass
    from pytest_infperf import Echo

    @dataclass(frozen=True)
    class Decoded(Echo):
        @property
        def decoding(self):
            return {"beams": 4}
"""


def test_a_variant_that_needs_a_codec_is_refused_by_custom(project: Project) -> None:
    write_code(project)
    suite_of(
        project,
        'Fake(), Function("shop.inference:load")',
        'Custom(data="data:read", metrics=["accuracy"])',
        "Custom, Fake, Function",
        'model="../../model",',
    )
    project.only_tests_of("quality")
    outcome = project.measure_here()
    assert outcome.outcomes() == {
        "test_quality[fake]": "error",
        "test_quality[function]": "passed",
    }, outcome.text
    assert "or a task that encodes its inputs" in outcome.message("test_quality[fake]")


def test_a_pipeline_of_scikit_learn_is_measured(project: Project) -> None:
    pytest.importorskip("sklearn")
    project.write(
        "suites/echo/reviews.py",
        """
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        WORDS = {"good": ["fine", "sunny", "warm"], "bad": ["grey", "cold", "rainy"]}

        def read():
            return [
                (f"a {word} day in week {week}", label)
                for label, words in WORDS.items() for word in words for week in range(5)
            ]

        def load(folder, threads):
            texts, labels = zip(*read())
            pipeline = make_pipeline(CountVectorizer(), LogisticRegression())
            pipeline.fit(texts, labels)
            return lambda inputs: pipeline.predict(inputs).tolist()
        """,
    )
    suite_of(
        project,
        'Function("reviews:load", id="sklearn")',
        'Custom(data="reviews:read", metrics=["accuracy", "f1"])',
        "Custom, Function",
    )
    project.thresholds("[echo.gates]\naccuracy = { min = 99 }\n")
    project.only_tests_of("quality")
    outcome = project.measure()
    assert outcome.outcomes() == {"test_quality[sklearn]": "passed"}, outcome.text
    assert outcome.measure("sklearn", "accuracy")["value"] == 100
    assert outcome.measure("sklearn", "f1")["value"] == 100


def test_a_sweep_of_length_is_an_error_with_its_remedy(project: Project) -> None:
    write_code(project)
    suite_of(
        project,
        'Function("shop.inference:load"), Slowed(Function("shop.inference:load"), by=1.0)',
        "Echo(count=10)",
        "Echo, Function, Slowed, Sweep",
        'sweeps=[Sweep("length", [1, 2])],',
    )
    project.tests(
        "def test_sweep(variant): variant.sweep('length').check()\n"
        "def test_quality(variant): variant.quality().check()\n"
    )
    outcome = project.measure_here()
    assert outcome.outcomes() == {
        "test_sweep[function]": "failed",
        "test_sweep[function-slowed]": "failed",
        "test_quality[function]": "passed",
        "test_quality[function-slowed]": "passed",
    }, outcome.text
    assert 'exclude it with Sweep("length"' in outcome.message("test_sweep[function]")
