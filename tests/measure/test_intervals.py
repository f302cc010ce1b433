"""Estimated measures have an interval, without which a verdict would be a guess."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pytest_infperf.measure.latency import Queries
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.metrics.accuracy import Accuracy
from pytest_infperf.records.measure import Measure
from pytest_infperf.stats.proportion import clopper_pearson

SERVED: Any = cast(Any, SimpleNamespace(first_query_s=0.1, load_s=1.0))


def latencies(count: int) -> dict[str, Measure]:
    spread = np.random.default_rng(3).lognormal(0, 0.2, count)
    queries = Queries(
        query_ns=[int(30e6 * x) for x in spread],
        model_ns=[int(20e6 * x) for x in spread],
        cpu_s=[0.03 * x for x in spread],
        block_queries=[1.0] * count,
    )
    return dict(queries.measured_at(SERVED, [], 0.99, lambda number: None).measures)


@pytest.mark.parametrize("name", ["latency_mean", "model_time_p50", "latency_p50", "cpu_time"])
def test_latencies_have_intervals_that_narrow_with_their_number(name: str) -> None:
    widths = []
    for count in (60, 5000):
        measure = latencies(count)[name]
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.value <= measure.high
        assert measure.n == count
        widths.append(measure.high - measure.low)
    assert widths[1] <= widths[0] / 4


def agreement(outputs: list[str], baseline: list[str] | None) -> Measure | None:
    n = len(outputs)
    scoring = Scoring([Accuracy()], outputs, 0.99, seed=0, whole_set=False)
    theirs = baseline and SetRun(range(n), baseline, [n], [1.0])
    measured = scoring.quality(SetRun(range(n), outputs, [n], [1.0]), theirs or None)
    return measured.measures.get("agreement")


def test_agreement_has_the_interval_of_a_proportion() -> None:
    found = agreement(["a"] * 100, ["a"] * 90 + ["b"] * 10)
    assert found == Measure(0.9, "fraction", *clopper_pearson(90, 100, 0.99), 100)


def test_without_a_baseline_there_is_no_agreement() -> None:
    assert agreement(["a"] * 3, None) is None
