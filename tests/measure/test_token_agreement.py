"""Agreement of tokens with the baseline's, computed by hand."""

from __future__ import annotations

import pytest

from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.measure.token_agreement import token_agreement
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats.proportion import clopper_pearson


def compared(ours: list[list[int]], theirs: list[list[int]], *, whole_set: bool = True) -> Measured:
    n = len(ours)
    runs = [
        SetRun(range(n), ["text"] * n, [n], [1.0], output_ids=outputs) for outputs in (ours, theirs)
    ]
    return token_agreement(*runs, confidence=0.99, seed=1, whole_set=whole_set)


def test_tokens_count_up_to_the_first_difference() -> None:
    ours = [[1, 2, 3, 4], [1, 9, 3, 4], [5, 6], [], [7], [8, 9, 9]]
    theirs = [[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8], [], [6], [8, 9]]
    measured = compared(ours, theirs)
    agreement = measured.measures["token_agreement"]
    assert agreement.value == pytest.approx((1 + 1 / 4 + 2 / 4 + 1 + 0 + 2 / 3) / 6)
    assert (agreement.unit, agreement.n) == ("fraction", 6)
    first = measured.measures["first_difference"]
    assert (first.value, first.unit) == (1, "tokens")  # of 0, 0, 1, 2, 2, 4: the lower median
    assert measured.whole_set


def test_equal_outputs_do_not_prove_that_all_are_equal() -> None:
    outputs = [[1, 2, 3]] * 30
    agreement = compared(outputs, outputs, whole_set=False).measures["token_agreement"]
    assert agreement.value == 1
    assert (agreement.low, agreement.high) == pytest.approx(clopper_pearson(30, 30, 0.99))


def test_the_interval_contains_outputs_that_differ_earlier() -> None:
    theirs = [[1, 2, 3, 4]] * 40
    ours = [[1, 2, 3, 0], [1, 2, 0, 4]] * 20
    agreement = compared(ours, theirs).measures["token_agreement"]
    assert agreement.value == pytest.approx(0.625)
    assert agreement.low is not None
    assert agreement.low < 0.55
    assert agreement.high is not None
    assert 0.625 < agreement.high < 0.7
