"""Outputs that are not finite are wrong in every metric, counted, and agree with nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_infperf import (
    F1,
    Accuracy,
    Bleu,
    Cer,
    ChrF,
    EntityF1,
    ExactMatch,
    F1Micro,
    F1Samples,
    Mae,
    Mrr,
    Ndcg,
    Pearson,
    Recall,
    Rmse,
    Rouge1,
    Spearman,
    TopK,
    Wer,
)
from pytest_infperf.measure.quality import ScorableOutputs, Scoring
from pytest_infperf.measure.throughput import SetRun


def scoring(metric: Any, references: list[Any]) -> Scoring:
    return Scoring([metric], references, 0.99, 1, whole_set=True)


def run(outputs: list[Any]) -> SetRun:
    return SetRun(range(len(outputs)), outputs, [len(outputs)], [1.0])


@pytest.mark.parametrize("metric", [Accuracy(), F1(), Wer(), Cer(), Bleu(), ChrF()])
def test_no_metric_takes_them_for_an_answer(metric: Any) -> None:
    references = ["", "one two three four five", "six seven eight nine ten"] * 4
    finite = scoring(metric, references).quality(run([*references]), None)
    measured = scoring(metric, references).quality(run([None] * 12), run([*references]))
    value = measured.measures[metric.name].value
    best = finite.measures[metric.name].value
    if metric.higher_is_better:
        assert (value, best) == (pytest.approx(0, abs=2), pytest.approx(100))
    else:
        assert (value >= 100, best) == (True, 0)
    assert measured.not_finite.startswith("12 of 12 outputs are not finite")
    assert measured.baseline_not_finite == finite.not_finite == ""


@pytest.mark.parametrize(
    ("metric", "outputs", "references"),
    [
        (F1(), [["a"], ["b"]], [["a"], ["b"]]),
        (F1Micro(), [["a"], ["b"], []], [["a"], ["b"], []]),
        (F1Samples(), [["a"], [1], []], [["a"], [1], []]),
        (ExactMatch(), ["a", ""], ["a", ["", "b"]]),
        (Rouge1(), ["a b", "c"], ["a b", "c"]),
        (TopK(), [["a", "b"], [2, 1]], ["b", 1]),
        (Ndcg(), [["a"], [3]], [{"a": 2}, [3]]),
        (Recall(), [["a"], [3]], [{"a": 2}, [3]]),
        (Mrr(), [["a"], [3]], [{"a": 2}, [3]]),
        (EntityF1(), [["B-PER"], ["O"]], [["B-PER"], ["O"]]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_lists_that_are_not_there_are_wrong(
    metric: Any, outputs: list[Any], references: list[Any]
) -> None:
    best = scoring(metric, references).quality(run(outputs), None)
    worst = scoring(metric, references).quality(run([None] * len(outputs)), None)
    assert best.measures[metric.name].value == pytest.approx(100)
    assert worst.measures[metric.name].value == 0
    assert worst.not_finite


@pytest.mark.parametrize("metric", [Pearson(), Spearman(), Mae(), Rmse()])
def test_a_number_that_is_not_there_leaves_no_score(metric: Any) -> None:
    """No number is wrong by a definite amount."""
    broken = run([1.0, None, 3.0, 4.0])
    fine = run([1.0, 2.5, 2.0, 4.0])
    judged = scoring(metric, [1.0, 2.0, 3.0, 4.0])
    measured = judged.quality(broken, fine)
    assert metric.name not in measured.measures
    assert "is not defined: 1 of 4 outputs are not finite" in measured.undefined[metric.name]
    assert measured.missing == measured.undefined
    measured = judged.quality(fine, broken)
    assert metric.name in measured.measures
    assert not measured.differences
    assert not measured.undefined
    assert measured.missing[metric.name].startswith(f"the baseline: {metric.name} is not defined")


@pytest.mark.parametrize(
    ("output", "reference", "finite"),
    [
        (None, "a", False),
        (None, None, True),
        (math.nan, 1.0, False),
        (-math.inf, 1.0, False),
        ([1.0, math.nan], [1.0, 2.0], False),
        ({"score": [0.5, math.inf]}, {}, False),
        ({"label": "a", "score": 0.5}, {}, True),
        ([1, "b", None], [], True),
        ("nan", "nan", True),
    ],
)
def test_which_outputs_are_finite(output: Any, reference: Any, finite: bool) -> None:
    scorable = ScorableOutputs.of([output], [reference])
    assert (not scorable.not_finite) is finite
    assert not finite or scorable.outputs == [output]


def test_two_that_are_not_finite_do_not_agree() -> None:
    both = run([None, "b", math.nan, "d"])
    measured = scoring(Accuracy(), ["a", "b", "c", "d"]).quality(both, both)
    assert measured.measures["agreement"].value == 0.5
    assert measured.measures["accuracy"].value == 50
    assert measured.baseline_not_finite.startswith("2 of 4 outputs")


def test_a_class_by_number_is_wrong_too() -> None:
    measured = scoring(Accuracy(), [0, 1, 0, 1]).quality(run([None, 1, None, 1]), None)
    assert measured.measures["accuracy"].value == 50
