"""Scores of labels, lists of labels, texts and tags agree with hand-computed values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_infperf import (
    F1,
    Accuracy,
    EntityF1,
    ExactMatch,
    F1Micro,
    F1Samples,
    TokenAccuracy,
    TopK,
)
from pytest_infperf.errors import UserError
from pytest_infperf.metrics import metric
from pytest_infperf.metrics.entities import _entities
from pytest_infperf.suite.outputs import UnusableSample


def score(metric: Any, outputs: list[Any], references: list[Any]) -> float:
    return float(metric.score(metric.statistics(outputs, references).sum(axis=0)))


OUTPUTS = [["a", "b"], ["c"], [], ["b", "a"]]
REFERENCES = [["b", "a"], ["a", "c"], [], ["a"]]


def test_scores_of_lists_of_labels() -> None:
    assert score(Accuracy(), OUTPUTS, REFERENCES) == 50
    # a: 2 hits, 2 predicted, 3 true; b: 1, 2, 1; c: 1, 1, 1.
    assert score(F1(), OUTPUTS, REFERENCES) == pytest.approx(100 * (4 / 5 + 2 / 3 + 1) / 3)
    assert score(F1(positive="a"), OUTPUTS, REFERENCES) == pytest.approx(80)
    assert score(F1Micro(), OUTPUTS, REFERENCES) == pytest.approx(100 * 2 * 4 / (5 + 5))
    assert score(F1Samples(), OUTPUTS, REFERENCES) == pytest.approx(
        100 * (1 + 2 / 3 + 1 + 2 / 3) / 4
    )


def test_micro_f1_of_single_labels_is_the_accuracy() -> None:
    outputs, references = ["a", "b", "b", 1], ["a", "b", "c", 2]
    assert score(F1Micro(), outputs, references) == score(Accuracy(), outputs, references) == 50


def test_a_label_that_is_never_true_lowers_micro_f1_only() -> None:
    assert score(F1Micro(), [["a", "z"]], [["a"]]) == pytest.approx(200 / 3)
    assert score(F1(), [["a", "z"]], [["a"]]) == 100


@pytest.mark.parametrize("undefined", [F1(), F1Micro()])
def test_f1_without_any_label_is_not_defined(undefined: Any) -> None:
    assert math.isnan(score(undefined, [[], []], [[], []]))


@pytest.mark.parametrize("strict", [F1(), F1Micro(), F1Samples()])
def test_a_label_that_is_a_mapping_is_an_error(strict: Any) -> None:
    with pytest.raises(UnusableSample, match=r"its output is \[\{'label': 'a'\}\], not a label"):
        strict.statistics([["a"], [{"label": "a"}]], [["a"], ["a"]])


def test_top_k_accuracy() -> None:
    outputs = [["a", "b", "c"], ["b", "a", "c"], "c", []]
    assert score(TopK(1), outputs, ["a"] * 4) == 25
    assert score(TopK(2), outputs, ["a"] * 4) == 50
    assert score(TopK(2), outputs, ["c"] * 4) == 25
    assert TopK().name == "top5_accuracy"
    with pytest.raises(UnusableSample, match=r"its reference is \['a'\], not one label"):
        TopK().statistics(["a"], [["a"]])
    with pytest.raises(UserError, match=r"TopK\(0\): k must be at least 1"):
        TopK(0)


def test_exact_match() -> None:
    outputs = ["42 ", "Paris", "paris", "two"]
    assert score(ExactMatch(), outputs, ["42", "Paris", "Paris", ["2", "two"]]) == 75
    with pytest.raises(UnusableSample, match="its output is 42, not a text"):
        ExactMatch().statistics([42], ["42"])
    with pytest.raises(UnusableSample, match=r"its reference is \[\], not a text or a list"):
        ExactMatch().statistics(["42"], [[]])


def test_entities() -> None:
    references = [
        ["B-PER", "I-PER", "O", "B-LOC"],
        ["O", "B-ORG", "I-ORG", "B-ORG"],
        ["O"],
    ]
    assert EntityF1().statistics(references, references).tolist() == [[2, 2, 2], [2, 2, 2], [0] * 3]
    outputs = [
        ["B-PER", "O", "O", "B-LOC"],  # one end is wrong, one entity is right
        ["O", "B-ORG", "I-ORG", "I-ORG"],  # two entities joined
        ["B-MISC"],
    ]
    assert EntityF1().statistics(outputs, references).tolist() == [[1, 2, 2], [0, 1, 2], [0, 1, 0]]
    assert score(EntityF1(), outputs, references) == pytest.approx(100 * 2 * 1 / (4 + 4))


def test_an_entity_without_its_begin_counts_as_in_conll() -> None:
    rows = EntityF1().statistics([["I-PER", "I-LOC", "I-LOC"]], [["B-PER", "B-LOC", "I-LOC"]])
    assert rows.tolist() == [[2, 2, 2]]


@pytest.mark.parametrize(
    ("tags", "entities"),
    [  # as the function get_entities of seqeval 1.2.2 finds them
        ("O O", []),
        ("B-P I-P O B-L", ["P 0 2", "L 3 4"]),
        ("B-P B-P I-P", ["P 0 1", "P 1 3"]),
        ("I-P I-P O I-P", ["P 0 2", "P 3 4"]),  # IOB1
        ("I-P B-P I-P", ["P 0 1", "P 1 3"]),
        ("B-P I-L I-L I-P", ["P 0 1", "L 1 3", "P 3 4"]),
        ("S-P B-L E-L O", ["P 0 1", "L 1 3"]),
        ("B-P I-P I-P E-P S-P", ["P 0 4", "P 4 5"]),
        ("B-P E-P E-P", ["P 0 2", "P 2 3"]),
        ("B-P E-P I-P E-P", ["P 0 2", "P 2 4"]),
        ("S-P I-P E-P", ["P 0 1", "P 1 3"]),
        ("S-P E-P", ["P 0 1", "P 1 2"]),
        ("O E-P I-P O", ["P 1 2", "P 2 3"]),
        ("B-P E-L S-P", ["P 0 1", "L 1 2", "P 2 3"]),
        ("B-P S-P I-P", ["P 0 1", "P 1 2", "P 2 3"]),
        ("B-A-x I-A-x I-A-y", ["A-x 0 2", "A-y 2 3"]),
    ],
)
def test_entities_are_those_of_seqeval(tags: str, entities: list[str]) -> None:
    found = _entities(0, tags.split(), "output")
    assert sorted(found) == sorted(
        (kind, int(start), int(end)) for kind, start, end in map(str.split, entities)
    )


def test_the_accuracy_of_tokens() -> None:
    outputs = [["B-P", "O"], math.nan, ["O"]]
    references = [["B-P", "I-P"], ["B-P", "O"], ["O"]]
    assert TokenAccuracy().statistics(outputs, references).tolist() == [[1, 2], [0, 2], [1, 1]]
    assert score(TokenAccuracy(), outputs, references) == pytest.approx(100 * 2 / 5)
    with pytest.raises(UnusableSample, match="its output has 1 tags and its reference 2"):
        TokenAccuracy().statistics([["O"]], [["O", "O"]])


def test_entities_of_an_output_that_is_absent_are_missed() -> None:
    assert EntityF1().statistics([math.nan], [["B-P", "O"]]).tolist() == [[0, 0, 1]]


def test_f1_of_no_entities_is_not_defined() -> None:
    assert math.isnan(score(EntityF1(), [["O"]], [["O"]]))


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (["O"], "its output has 1 tags and its reference 2: each token has one"),
        (["O", "PER"], "the tag 'PER' of its output is not O, B-type, I-type, E-type or S-type"),
        (["O", "L-PER"], "the tag 'L-PER' of its output"),
        (["O", "B"], "the tag 'B' of its output"),
        (["O", 3], "the tag 3 of its output"),
        ("O O", "its output is 'O O', not a list of tags"),
    ],
)
def test_invalid_tags_are_an_error(output: Any, problem: str) -> None:
    with pytest.raises(UnusableSample, match=problem):
        EntityF1().statistics([output], [["O", "B-PER"]])


@pytest.mark.parametrize(
    "name",
    [
        *("pearson", "spearman", "mae", "rmse", "exact_match", "rouge1", "rouge2", "rougeL"),
        *("top5_accuracy", "top3_accuracy", "f1_micro", "f1_samples", "ndcg", "ndcg_at_10"),
        *("recall_at_10", "recall_at_100", "mrr", "entity_f1", "token_accuracy"),
    ],
)
def test_metrics_are_known_by_name(name: str) -> None:
    made = metric(name)
    assert made.name == name
    assert name.replace("_", "").isalnum()
    assert made.unit == ("" if name in ("pearson", "spearman", "mae", "rmse") else "points")
    assert made.signature()


@pytest.mark.parametrize("name", ["top0_accuracy", "recall_at_x", "spearmen"])
def test_other_names_are_errors(name: str) -> None:
    with pytest.raises(UserError, match=f'no shipped metric is named "{name}"; use one of bleu'):
        metric(name)
