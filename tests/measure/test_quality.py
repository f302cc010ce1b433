"""Outputs that are not finite are wrong in every metric, counted, and agree with nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_infperf import F1, Accuracy, Bleu, Cer, ChrF, Wer
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
