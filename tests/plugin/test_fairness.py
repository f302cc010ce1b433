"""Variants that decode differently are measured and not compared."""

from __future__ import annotations

import pytest

from tests.plugin.small_project import Outcome, Project


@pytest.fixture
def outcome(project: Project) -> Outcome:
    project.suite(
        """
        from dataclasses import dataclass
        from pytest_infperf import Echo, Fake, Suite

        @dataclass(frozen=True)
        class Beams(Fake):
            beams: int = 1

            def load(self, artifact, task, threads):
                runner = super().load(artifact, task, threads)
                runner.decoding = {"beams": self.beams}
                return runner

        suite = Suite(
            "echo",
            task=Echo(count=10),
            model="../../model",
            baseline="greedy",
            variants=[Beams(id="greedy"), Beams(id="four-beams", beams=4)],
        )
        """
    )
    return project.measure_here(budget_s=0.1)


def test_comparisons_of_different_decoding_are_refused(outcome: Outcome) -> None:
    refused = {test for test, result in outcome.outcomes().items() if result != "passed"}
    assert refused == {"test_latency[four-beams]", "test_quality[four-beams]"}
    for test in refused:
        message = outcome.message(test)
        assert "four-beams decodes with {'beams': 4}" in message
        assert "the baseline greedy with {'beams': 1}" in message
        assert "cannot be compared. Give both the same settings" in message
    assert outcome.record("four-beams")["settings"]["decoding"] == {"beams": 4}
    assert "cannot be compared" in outcome.record("four-beams")["errors"][0]
    assert "speedup" not in outcome.record("four-beams")["measures"]
