"""Vectors are compared with those of the baseline, and pairs of vectors with human scores."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_infperf import Cosine, CosineFraction, CosineMin, StsSpearman, UserError
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measured import Measured

EAST, NORTH, BETWEEN = [2.0, 0.0], [0.0, 3.0], [1.0, 1.0]
ALL = (Cosine(), CosineMin(), CosineFraction(bound=0.7))


def run(outputs: list[Any]) -> SetRun:
    return SetRun(range(len(outputs)), outputs, [len(outputs)], [1.0])


def quality(
    metrics: Any,
    outputs: list[Any],
    baseline: list[Any] | None,
    references: list[Any] | None = None,
) -> Measured:
    scoring = Scoring(metrics, references or ["a"] * len(outputs), 0.9, 1, whole_set=True)
    return scoring.quality(run(outputs), run(baseline) if baseline else None)


def values(measured: Measured) -> dict[str, float]:
    return {name: measure.value for name, measure in measured.measures.items()}


def test_vectors_are_compared_with_those_of_the_baseline() -> None:
    measured = quality(ALL, [EAST, EAST, BETWEEN, NORTH], [EAST, BETWEEN, EAST, EAST])
    cosine = math.sqrt(0.5)
    assert values(measured) == pytest.approx(
        {"cosine": (1 + 2 * cosine) / 4, "cosine_min": 0, "cosine_fraction": 0.75}
    )
    assert measured.differences == {}
    bounds = measured.measures["cosine"]
    assert bounds.low < bounds.value < bounds.high


def test_pairs_have_the_smaller_cosine_of_both() -> None:
    measured = quality((CosineMin(),), [[EAST, EAST]], [[EAST, NORTH]])
    assert values(measured) == {"cosine_min": 0}


def test_the_baseline_itself_has_no_such_measures() -> None:
    assert quality(ALL, [EAST, NORTH], None).measures == {}


def test_vectors_that_are_not_finite_are_the_farthest() -> None:
    measured = quality((Cosine(),), [EAST, None], [EAST, EAST])
    assert values(measured) == {"cosine": 0}
    assert measured.not_finite.startswith("1 of 2 outputs are not finite")


@pytest.mark.parametrize("output", ["text", 1.0, [], [[1.0], [2.0]], [1.0, 2.0, 3.0], {}])
def test_an_invalid_vector_is_an_error_with_its_sample(output: Any) -> None:
    with pytest.raises(UserError, match="cosine of sample 1: "):
        quality((Cosine(),), [EAST, output], [EAST, EAST])


def test_a_vector_without_a_direction_is_near_to_none() -> None:
    assert values(quality((Cosine(),), [[0.0, 0.0]], [EAST])) == {"cosine": 0}


def test_cosines_of_pairs_are_ranked_as_their_scores() -> None:
    pairs = [[EAST, EAST], [EAST, BETWEEN], [EAST, NORTH], [EAST, [-1.0, 0.0]]]
    measured = quality((StsSpearman(),), pairs, pairs[::-1], [5, 3, 2, 0])
    assert values(measured)["sts_spearman"] == pytest.approx(1)
    assert measured.differences["sts_spearman"].value == pytest.approx(2)
    with pytest.raises(UserError, match="sample 0: its output is not a vector"):
        quality((StsSpearman(),), [EAST, EAST, EAST], None, [1, 2, 3])
