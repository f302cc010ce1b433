"""Samples that calibrate one variant are scored in no variant."""

from __future__ import annotations

from tests.plugin.small_project import Project

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    class Calibrated(Fake):
        @property
        def calibrates(self):
            return True

    suite = Suite(
        "echo",
        task=Echo(count=10),
        model="../../model",
        baseline="slow",
        variants=[Fake(id="slow"), {variant}(id="other")],
    )
"""


def scored(project: Project, variant: str) -> list[int]:
    project.suite(SUITE.format(variant=variant))
    project.tests("def test_quality(variant): variant.quality(batch=4)\n")
    outcome = project.measure_here("--infperf-full")
    outcome.assert_outcomes(passed=2)
    return [outcome.record(name)["settings"]["samples"] for name in ("slow", "other")]


def test_samples_that_calibrate_a_variant_are_scored_in_none(project: Project) -> None:
    assert scored(project, "Fake") == [10, 10]
    assert scored(project, "Calibrated") == [8, 8]
