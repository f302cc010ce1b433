"""Times of generated tokens as a user sees them: measures, gates and ratios."""

from __future__ import annotations

from tests.plugin.small_project import Project

SUITE = """
    from dataclasses import dataclass

    from pytest_infperf import Echo, Fake, Suite
    from pytest_infperf.tasks.echo import EchoCodec


    class WordsCodec(EchoCodec):
        def token_counts(self, results, features):
            return tuple(sum(len(text.split()) for text in texts) for texts in (features, results))


    @dataclass(frozen=True)
    class Words(Echo):
        generates = True

        def codec(self, model):
            return WordsCodec()


    suite = Suite(
        "words",
        task=Words(count=40),
        model="../../model",
        baseline="plain",
        variants=[
            Fake(id="plain", first_token_ms=1.0, token_ms=1.0),
            Fake(id="late", first_token_ms=20.0, token_ms=1.0),
            Fake(id="whole", query_ms=1.0, streams=False),
        ],
    )
"""


def test_each_time_of_tokens_is_measured_and_judged(project: Project) -> None:
    project.suite(SUITE, "suites/words")
    project.tests(
        "def test_latency(variant): variant.latency().check()", "suites/words/test_words.py"
    )
    project.thresholds(
        """
        [words.variants.plain]
        ttft_p90 = { max = "1 s" }
        output_tokens_rate = { min = 10 }
        [words.variants.late]
        ttft_speedup = { min = 30 }
        tpot_speedup = { min = 0.01 }
        itl_p50 = { max = "1 s" }
        """
    )
    outcome = project.measure("suites/words", budget_s=2)
    assert outcome.outcomes() == {
        "test_latency[plain]": "passed",
        "test_latency[late]": "failed",
        "test_latency[whole]": "passed",
    }
    message = outcome.message("test_latency[late]")
    assert "ttft_speedup" in message
    assert "is below the limit of 30.00x" in message
    record = outcome.record("late", "words")
    verdicts = {gate["measure"]: gate["verdict"] for gate in record["gates"]}
    assert verdicts == {"ttft_speedup": "fail", "tpot_speedup": "pass", "itl_p50": "pass"}
    assert record["measures"]["ttft_p50"]["value"] >= 0.02
    assert record["measures"]["itl_p50"]["value"] >= 0.001
    whole = outcome.record("whole", "words")["measures"]
    assert whole["ttft_mean"] == whole["latency_mean"]
    assert "tpot_mean" not in whole
    assert "ttft_speedup" in whole
    assert "tpot_speedup" not in whole


def test_a_gate_on_tokens_of_a_backend_that_returns_whole_outputs_is_inconclusive(
    project: Project,
) -> None:
    project.suite(SUITE, "suites/words")
    project.tests(
        "def test_latency(variant): variant.latency().check()", "suites/words/test_words.py"
    )
    project.thresholds('[words.variants.whole]\nitl_p99 = { max = "1 s" }\n')
    outcome = project.measure("suites/words", "-k", "whole", budget_s=1)
    assert outcome.outcomes() == {"test_latency[whole]": "failed"}
    assert "the backend returns whole outputs" in outcome.message("test_latency[whole]")


def test_a_task_without_tokens_has_no_such_measure(project: Project) -> None:
    project.thresholds('[echo.gates]\nttft_p50 = { max = "1 s" }\n')
    outcome = project.measure("suites/echo")
    assert outcome.ret == 4
    assert "unknown measure" in outcome.text
