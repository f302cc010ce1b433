"""Meaningless quality passes no gate: NaN, a baseline that is always wrong, an empty test set."""

from __future__ import annotations

from tests.plugin.small_project import Project

SUITE = """
    from dataclasses import KW_ONLY, dataclass

    from pytest_infperf import Echo, Fake, Suite

    @dataclass(frozen=True)
    class Broken(Fake):
        _: KW_ONLY
        share: float

        def load(self, artifact, task, threads):
            runner = super().load(artifact, task, threads)
            runner.infer = lambda texts: [
                None if sum(text.encode()) % 100 < 100 * self.share else text for text in texts
            ]
            return runner

    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        baseline="partly",
        variants=[Broken(id="partly", share=0.25), Fake(id="fine"), Broken(id="all", share=1.0)],
    )
"""


def test_outputs_that_are_not_finite_fail_every_gate_on_quality(project: Project) -> None:
    project.suite(SUITE)
    project.only_tests_of("quality")
    project.thresholds(
        """
        [echo.gates]
        accuracy = { min = 0.1 }
        [echo.variants.all]
        accuracy = { max_drop = 100 }
        [echo.variants.fine]
        accuracy = { max_drop = 100 }
        """
    )
    outcome = project.measure()
    outcome.assert_outcomes(failed=3)
    partly = outcome.record("partly")["evidence"]["not_finite_outputs"]
    assert 0 < partly["count"] < partly["of"] == 40
    assert len(partly["samples"]) == min(20, partly["count"])
    assert outcome.record("all")["evidence"]["not_finite_outputs"]["count"] == 40
    assert outcome.measure("all", "accuracy")["value"] == 0
    assert "not_finite_outputs" not in outcome.record("fine")["evidence"]
    for variant in ("partly", "all"):
        message = outcome.message(f"test_quality[{variant}]")
        assert "FAIL echo" in message
        assert "of 40 outputs are not finite (NaN, infinite or missing)" in message
    message = outcome.message("test_quality[fine]")
    assert "INCONCLUSIVE echo[fine] accuracy of the baseline is not a standard" in message
    assert "NOT FINITE echo[all] 40 of 40 outputs" in outcome.words


def test_outputs_that_are_not_finite_need_no_limit_to_be_wrong(project: Project) -> None:
    project.suite(SUITE)
    project.only_tests_of("quality")
    page = project.folder / "page.html"
    outcome = project.measure(f"--infperf-html={page}")
    assert outcome.outcomes() == {
        "test_quality[partly]": "failed",
        "test_quality[fine]": "passed",
        "test_quality[all]": "failed",
    }
    (error,) = outcome.record("all")["errors"]
    assert error.startswith("40 of 40 outputs are not finite")
    assert error in page.read_text()
    assert "ERROR echo[all] 40 of 40 outputs are not finite" in outcome.words


def test_nothing_is_lost_against_a_baseline_that_is_always_wrong(project: Project) -> None:
    project.suite(
        """
        from pytest_infperf import Echo, Fake, Suite

        suite = Suite(
            "echo",
            task=Echo(count=40),
            model="../../model",
            baseline="slow",
            variants=[Fake(id="slow", wrong=1.0), Fake(id="fast", wrong=1.0)],
        )
        """
    )
    project.only_tests_of("quality")
    project.thresholds("[echo.variants.fast]\naccuracy = { max_drop = 1.0 }\n")
    outcome = project.measure("-k", "fast")
    outcome.assert_outcomes(failed=1, deselected=1)
    message = outcome.message("test_quality[fast]")
    assert "INCONCLUSIVE" in message
    assert "the baseline also has accuracy 0.00, so no loss can be measured" in message
    assert "check that outputs and references have the same form" in message


def test_a_test_set_without_samples_is_an_error_with_its_name(project: Project) -> None:
    suite = project.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace("count=40", "count=0"))
    outcome = project.plain("--infperf")
    assert outcome.ret != 0
    assert "Echo(count=0): count must be at least 1" in outcome.words
    suite.write_text(suite.read_text().replace("count=0", "count=9, sample_size=0"))
    outcome = project.plain("--infperf")
    assert outcome.ret != 0
    assert "the task's sample_size is 0, but must be at least 1" in outcome.words


def test_a_model_that_cannot_answer_the_data_is_refused_before_it_is_built(
    project: Project,
) -> None:
    project.suite(
        """
        from dataclasses import dataclass

        from pytest_infperf import Echo, Fake, Suite, UserError

        class Picky(Echo):
            def check(self, samples, codec):
                raise UserError(f"{samples.references[0]!r} is no label of {type(codec).__name__}")

        class Slow(Fake):
            def build(self, material, folder):
                raise RuntimeError("this was built in vain")

        suite = Suite("echo", task=Picky(), model="../../model", variants=[Slow()])
        """
    )
    project.only_tests_of("quality")
    outcome = project.measure()
    outcome.assert_outcomes(errors=1)
    assert "'sample 0' is no label of EchoCodec" in outcome.message("test_quality[fake]")
    assert "in vain" not in outcome.text
    assert outcome.record("fake")["errors"] == ["'sample 0' is no label of EchoCodec"]
