"""Scores of ranked lists agree with hand-computed values."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_infperf import Mrr, Ndcg, Recall
from pytest_infperf.errors import UserError
from pytest_infperf.suite.outputs import UnusableSample


def score(metric: Any, outputs: list[Any], references: list[Any]) -> float:
    return float(metric.score(metric.statistics(outputs, references).sum(axis=0)))


def test_ndcg_is_the_gain_over_that_of_the_ideal_order() -> None:
    gains = {"a": 3, "b": 2, "c": 1, "d": 0}
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    got = 2 + 1 / 2 + 3 / math.log2(5)
    assert score(Ndcg(), [["b", "d", "c", "a"]], [gains]) == pytest.approx(100 * got / ideal)
    assert score(Ndcg(), [["a", "b", "c", "d"]], [gains]) == pytest.approx(100)
    assert score(Ndcg(k=1), [["b", "a"]], [gains]) == pytest.approx(100 * 2 / 3)
    assert score(Ndcg(), [[*range(10), "a"]], [["a"]]) == 0  # the eleventh


def test_recall_and_reciprocal_rank() -> None:
    outputs = [["x", "a", "b"], ["y"], "a"]
    references = [["a", "b", "c", "d"], ["a"], {"a": 2.5, "x": 0}]
    assert score(Recall(), outputs, references) == pytest.approx(100 * (2 / 4 + 0 + 1) / 3)
    assert score(Recall(k=2), outputs, references) == pytest.approx(100 * (1 / 4 + 0 + 1) / 3)
    assert score(Mrr(), outputs, references) == pytest.approx(100 * (1 / 2 + 0 + 1) / 3)


def test_an_id_that_is_there_twice_counts_once() -> None:
    assert score(Ndcg(), [["a", "a"]], [["a"]]) == 100
    assert score(Recall(), [["a", "a"]], [["a", "b"]]) == 50


@pytest.mark.parametrize("metric", [Ndcg(), Recall(), Mrr()])
def test_samples_without_a_relevant_id_do_not_count(metric: Any) -> None:
    assert score(metric, [["a"], ["a"], []], [["a"], [], {"a": 0}]) == 100
    assert math.isnan(score(metric, [["a"]], [[]]))


@pytest.mark.parametrize(
    ("output", "reference", "problem"),
    [
        (["a"], "a", "its reference is 'a', not a list of ids or a mapping of ids to gains"),
        (["a"], {"a": "high"}, "the gain of 'a' is 'high', not a number of at least 0"),
        (["a"], {"a": -1}, "the gain of 'a' is -1"),
        (["a"], {"a": math.nan}, "the gain of 'a' is nan"),
        ([["a"]], ["a"], r"its output is \[\['a'\]\], not a label"),
    ],
)
def test_other_types_are_errors(output: Any, reference: Any, problem: str) -> None:
    with pytest.raises(UnusableSample, match=problem):
        Ndcg().statistics([output], [reference])


@pytest.mark.parametrize("made", [Ndcg, Recall])
def test_at_least_one_id_counts(made: Any) -> None:
    with pytest.raises(UserError, match=r"\(k=0\): k must be at least 1"):
        made(k=0)
