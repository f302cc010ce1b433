"""Outputs that are not finite are wrong in every metric, are counted, and never agree."""

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
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.scorable import ScorableOutputs
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.stats.proportion import clopper_pearson


def scoring(metric: Any, references: list[Any]) -> Scoring:
    return Scoring([metric], references, 0.99, 1, whole_set=True)


def run(outputs: list[Any]) -> SetRun:
    return SetRun(range(len(outputs)), outputs, [len(outputs)], [1.0])


@pytest.mark.parametrize("metric", [Accuracy(), F1(), Wer(), Cer(), Bleu(), ChrF()])
def test_no_metric_accepts_outputs_that_are_not_finite(metric: Any) -> None:
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
def test_missing_lists_are_wrong(metric: Any, outputs: list[Any], references: list[Any]) -> None:
    best = scoring(metric, references).quality(run(outputs), None)
    worst = scoring(metric, references).quality(run([None] * len(outputs)), None)
    assert best.measures[metric.name].value == pytest.approx(100)
    assert worst.measures[metric.name].value == 0
    assert worst.not_finite


@pytest.mark.parametrize("metric", [Pearson(), Spearman(), Mae(), Rmse()])
def test_a_missing_number_gives_no_score(metric: Any) -> None:
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


def test_two_outputs_that_are_not_finite_do_not_agree() -> None:
    both = run([None, "b", math.nan, "d"])
    measured = scoring(Accuracy(), ["a", "b", "c", "d"]).quality(both, both)
    assert measured.measures["agreement"].value == 0.5
    assert measured.measures["accuracy"].value == 50
    assert measured.baseline_not_finite.startswith("2 of 4 outputs")


def test_a_class_by_number_is_wrong_too() -> None:
    measured = scoring(Accuracy(), [0, 1, 0, 1]).quality(run([None, 1, None, 1]), None)
    assert measured.measures["accuracy"].value == 50


def sampled(metric: Any, references: list[Any], confidence: float = 0.99) -> Scoring:
    """Return the scoring of a sample of a larger set, whose scores are estimates."""
    return Scoring([metric], references, confidence, 1, whole_set=False)


def test_a_sample_without_a_mistake_does_not_prove_that_there_is_none() -> None:
    """Every resample is correct too, but with 30 samples, 16 % of all samples may be wrong."""
    references = ["a", "b", "c"] * 10
    found = sampled(Accuracy(), references).quality(run(references), run(references))
    lowest = 100 * 0.005 ** (1 / 30)
    accuracy, difference = found.measures["accuracy"], found.differences["accuracy"]
    assert (accuracy.low, accuracy.high) == (pytest.approx(lowest), 100)
    assert (difference.value, difference.low) == (0, pytest.approx(lowest - 100))
    assert difference.high == pytest.approx(100 - lowest)


def test_accuracy_has_the_exact_interval_of_a_proportion() -> None:
    found = sampled(Accuracy(), ["a"] * 40).quality(run(["a"] * 36 + ["b"] * 4), None)
    low, high = clopper_pearson(36, 40, 0.99)
    accuracy = found.measures["accuracy"]
    assert (accuracy.low, accuracy.high) == (pytest.approx(100 * low), pytest.approx(100 * high))


@pytest.mark.parametrize("metric", [F1(), Bleu(), ChrF(), Wer(), Rouge1()])
def test_equal_outputs_of_a_sample_leave_room_for_a_difference(metric: Any) -> None:
    """With 50 samples, 10 % of all samples may be wrong in one run only."""
    references = [f"one two three {i} five six" for i in range(50)]
    if metric.name == "f1":
        references = [text.split()[3] if i % 5 else "one" for i, text in enumerate(references)]
    outputs = [*references[:45], *["seven eight"] * 5]
    found = sampled(metric, references).quality(run(outputs), run(outputs))
    score, difference = found.measures[metric.name], found.differences[metric.name]
    room = 1 - 0.005 ** (1 / 50)
    assert difference.value == 0
    assert difference.low == pytest.approx(-(difference.high or 0))
    loss = -difference.low if metric.higher_is_better else difference.high
    correct = score.value if metric.higher_is_better else 100 - score.value
    assert loss == pytest.approx(room * correct, rel=0.35)


def test_equal_errors_of_numbers_have_no_interval() -> None:
    """Errors of numbers are unbounded, so that nothing is known about other samples."""
    numbers = [float(i) for i in range(40)]
    found = sampled(Mae(), numbers).quality(run(numbers), run(numbers))
    assert (found.differences["mae"].low, found.differences["mae"].high) == (None, None)
    near = sampled(Mae(), numbers).quality(run([x + x % 3 for x in numbers]), run(numbers))
    low, high = near.differences["mae"].low, near.differences["mae"].high
    assert low is not None
    assert high is not None
    assert 0 < low < near.differences["mae"].value < high
