"""Gates on metrics of real-valued outputs, among them one that is no sum over samples."""

from __future__ import annotations

from tests.plugin.small_project import Project

SUITE = """
    from dataclasses import KW_ONLY, dataclass
    from typing import ClassVar

    from pytest_infperf import Echo, Fake, Samples, Suite

    @dataclass(frozen=True)
    class Rating(Echo):
        def samples(self, folder):
            numbers = [i / 10 for i in range(self.count)]
            return Samples(numbers, numbers)

    @dataclass(frozen=True)
    class Rater(Fake):
        _: KW_ONLY
        keeps: float = 1.0

        def load(self, artifact, task, threads):
            runner = super().load(artifact, task, threads)
            runner.infer = lambda numbers: [
                KIND(self.keeps * x + (1 - self.keeps) * (37 * 10 * x % 40)) for x in numbers
            ]
            return runner

    suite = Suite(
        "echo",
        task=Rating(count=40, metrics=("spearman", "mae")),
        model="../../model",
        baseline="exact",
        variants=[Rater(id="exact"), Rater(id="random", keeps=0.0), Rater(id="none", keeps=VALUE)],
    )
"""


def suite(kind: str = "float", value: str = "1.0") -> str:
    return SUITE.replace("KIND", kind).replace("VALUE", value)


def test_a_gate_on_a_rank_correlation_passes_and_fails(project: Project) -> None:
    project.suite(suite())
    project.only_tests_of("quality")
    project.thresholds(
        """
        [echo.gates]
        spearman = { min = 0.9, max_drop = 0.05 }
        mae = { max = 0.5, max_rise = 0.1 }
        """
    )
    outcome = project.measure("--infperf-full")
    assert outcome.outcomes() == {
        "test_quality[exact]": "passed",
        "test_quality[random]": "failed",
        "test_quality[none]": "passed",
    }
    spearman = outcome.measure("exact", "spearman")
    assert (round(spearman["value"], 9), spearman["unit"], spearman["n"]) == (1, "", 40)
    message = outcome.message("test_quality[random]")
    assert "FAIL echo[random] spearman" in message
    assert "FAIL echo[random] mae" in message
    signatures = outcome.record("random")["evidence"]["signatures"]
    assert signatures["spearman"].endswith("interval of 2,000 scored resamples")
    assert signatures["mae"] == "mean absolute error"


def test_a_correlation_that_is_not_defined_passes_nothing(project: Project) -> None:
    project.suite(suite("(lambda x: 0.5 if self.id == 'none' else x)"))
    project.only_tests_of("quality")
    outcome = project.measure("-k", "none or exact")
    assert outcome.outcomes() == {
        "test_quality[exact]": "passed",
        "test_quality[none]": "failed",
    }
    reason = "spearman is not defined for these 40 outputs and references"
    assert reason in outcome.message("test_quality[none]")
    project.thresholds("[echo.gates]\nspearman = { min = 0.5 }\n")
    outcome = project.measure("-k", "none or exact")
    assert outcome.outcomes()["test_quality[none]"] == "failed"
    message = outcome.message("test_quality[none]")
    assert "INCONCLUSIVE echo[none] spearman" in message
    assert reason in message


def test_a_number_that_is_not_finite_fails_the_gate(project: Project) -> None:
    project.suite(suite(value="float('nan')"))
    project.only_tests_of("quality")
    project.thresholds("[echo.gates]\nspearman = { min = 0.5 }\n")
    outcome = project.measure("-k", "none")
    message = outcome.message("test_quality[none]")
    assert "FAIL echo[none] spearman: 40 of 40 outputs are not finite" in message


def test_outputs_of_another_type_are_an_error_with_sample_and_metric(project: Project) -> None:
    project.suite(suite("str"))
    project.only_tests_of("quality")
    outcome = project.measure("-k", "exact")
    message = outcome.message("test_quality[exact]")
    assert "spearman of sample 0: its output is '0.0', not a number" in message
