"""Metrics that are no sums over samples: intervals, differences, and undefined scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from pytest_infperf import Accuracy, Pearson, Spearman
from pytest_infperf.errors import UserError
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measured import Measured


class Share:
    """The accuracy, implemented as a metric that is no sum."""

    name = "share"
    unit = "points"
    higher_is_better = True

    def score(self, outputs: Sequence[Any], references: Sequence[Any]) -> float:
        pairs = zip(outputs, references, strict=True)
        return 100 * sum(output == reference for output, reference in pairs) / len(outputs)

    def signature(self) -> str:
        return "counted"


class Median(Share):
    """The median of the outputs."""

    name = "median"

    def score(self, outputs: Sequence[Any], references: Sequence[Any]) -> float:
        return float(np.median(outputs))


def run(outputs: Sequence[Any], numbers: Sequence[int] | None = None) -> SetRun:
    return SetRun(numbers or range(len(outputs)), list(outputs), [len(outputs)], [1.0])


def quality(
    metrics: list[Any],
    references: Sequence[Any],
    outputs: Sequence[Any],
    baseline: Sequence[Any] | None = None,
) -> Measured:
    scoring = Scoring(metrics, references, 0.95, 1, whole_set=True)
    return scoring.quality(run(outputs), None if baseline is None else run(baseline))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
@settings(max_examples=20, deadline=None)
def test_a_metric_that_equals_a_sum_has_its_score(pairs: list[tuple[bool, bool]]) -> None:
    outputs, baseline = zip(*pairs, strict=True)
    measured = quality([Share(), Accuracy()], [True] * len(pairs), outputs, baseline)
    assert measured.measures["share"].value == pytest.approx(measured.measures["accuracy"].value)
    differences = measured.differences
    assert differences["share"].value == pytest.approx(differences["accuracy"].value)


def test_a_metric_that_equals_a_sum_has_its_interval() -> None:
    rng = np.random.default_rng(1)
    outputs, baseline = (rng.random(400) < 0.8).tolist(), (rng.random(400) < 0.7).tolist()
    measured = quality([Share(), Accuracy()], [True] * 400, outputs, baseline)
    for measures in (measured.measures, measured.differences):
        assert measures["share"].low == pytest.approx(measures["accuracy"].low, abs=1)
        assert measures["share"].high == pytest.approx(measures["accuracy"].high, abs=1)


def test_both_sides_of_a_difference_have_the_same_resamples() -> None:
    outputs = np.random.default_rng(2).normal(size=100)
    measured = quality([Median()], [0.0] * 100, (outputs + 3).tolist(), outputs.tolist())
    difference = measured.differences["median"]
    assert (difference.value, difference.low, difference.high) == pytest.approx((3, 3, 3))
    median = measured.measures["median"]
    assert median.low is not None
    assert median.high is not None
    assert median.low < median.value < median.high


def test_the_interval_of_a_correlation_is_that_of_fisher() -> None:
    """The normal interval of artanh(r) with variance 1 / (n - 3), of normal numbers."""
    rng = np.random.default_rng(3)
    references = rng.normal(size=500)
    outputs = references + rng.normal(size=500)
    measured = quality([Pearson(), Spearman()], references.tolist(), outputs.tolist())
    for name, factor in (("pearson", 1.0), ("spearman", 1.03)):
        measure = measured.measures[name]
        error = factor * 1.96 / math.sqrt(497)
        expected = [math.tanh(math.atanh(measure.value) + side * error) for side in (-1, 1)]
        assert [measure.low, measure.high] == pytest.approx(expected, abs=0.02)


def test_few_samples_have_no_bounds() -> None:
    measure = quality([Spearman()], [1, 2, 3], [1.5, 2.5, 2.0]).measures["spearman"]
    assert (measure.value, measure.low, measure.high) == (pytest.approx(0.5), None, None)


@pytest.mark.parametrize("metric", [Pearson(), Spearman()])
def test_an_undefined_score_has_a_reason(metric: Any) -> None:
    measured = quality([metric, Accuracy()], [1, 2, 3], [0.5] * 3, [1, 2, 2])
    assert measured.measures.keys() == {"accuracy", "agreement"}
    assert measured.differences.keys() == {"accuracy"}
    reason = measured.undefined[metric.name]
    assert reason.startswith(f"{metric.name} is not defined for these 3 outputs and references")
    assert measured.missing == {metric.name: reason}


def test_a_sample_of_another_type_is_named_by_its_number_in_the_test_data() -> None:
    scoring = Scoring([Spearman()], [1.0] * 10, 0.95, 1, whole_set=False)
    with pytest.raises(
        UserError, match=r"^spearman of sample 7: its output is '0.5', not a number$"
    ):
        scoring.quality(run([0.1, "0.5"], [3, 7]), None)


def test_the_signature_says_how_many_resamples_were_scored() -> None:
    scoring = Scoring([], [], 0.95, 1, whole_set=True)
    assert scoring.signature(Share()) == "counted; interval of 2,000 scored resamples"
    assert scoring.signature(Accuracy()) == "exact match"
