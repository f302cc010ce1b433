"""On a busy host, disturbed blocks are used if there are no others, with a notice."""

from __future__ import annotations

import math
from itertools import count
from typing import Any, cast

import pytest

from pytest_infperf.gates.judge import judge
from pytest_infperf.measure import latency, sweep, threads
from pytest_infperf.measure.blocks import SecondChances
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.latency import Queries, measure_latency
from pytest_infperf.measure.sweep import SweepPoint, measure_sweep
from pytest_infperf.records.catalogue import Catalogue
from pytest_infperf.records.evidence import RepeatedBlocks
from pytest_infperf.records.measured import Measured
from pytest_infperf.suite.suite import Sweep
from pytest_infperf.thresholds.gate import Gate, Limit
from pytest_infperf.worker.messages import BlockDone

QUERY_S = 0.6


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class OnBusyHost:
    """A worker whose queries take 0.6 s, beside others that use the CPU during its blocks."""

    first_query_s = load_s = 1.0

    def __init__(self, clock: Clock, undisturbed_after: int = 1000) -> None:
        self.clock = clock
        self.undisturbed_after = undisturbed_after
        self.blocks = 0

    def run(self, queries: list[list[int]], **settings: Any) -> BlockDone:
        self.blocks += 1
        times = [round(QUERY_S * 1e9)] * len(queries)
        self.clock.now_s += sum(times) / 1e9
        foreign_ns = 0 if self.blocks > self.undisturbed_after else sum(times)
        return BlockDone(times, times, sum(times), sum(times), foreign_ns, None)

    def finish_loading(self) -> None: ...

    def answer_first_query(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (latency, sweep):
        monkeypatch.setattr(module, "perf_counter", clock)
    return clock


def measured_with(worker: OnBusyHost, budget_s: float) -> tuple[Measured, Queries]:
    return measure_latency(
        cast(Any, worker),
        count(),
        lambda number: None,
        percentiles=[],
        budget=Budget(budget_s),
        confidence=0.99,
        remaining=lambda measured: math.inf,
    )


def test_the_only_block_counts_if_there_is_no_time_for_another(clock: Clock) -> None:
    measured, queries = measured_with(OnBusyHost(clock), budget_s=3)
    assert measured.measures["latency_p50"].value == QUERY_S
    assert measured.measures["latency_p50"].n == 8
    assert queries.chances.counts() == RepeatedBlocks(measured=1, again=0, disturbed=1)
    assert measured.remark == "other processes disturbed 1 of 1 blocks"


def test_a_block_is_measured_again_if_there_is_time(clock: Clock) -> None:
    measured, queries = measured_with(OnBusyHost(clock, undisturbed_after=1), budget_s=6)
    assert queries.chances.counts() == RepeatedBlocks(measured=1, again=1, disturbed=0)
    assert measured.remark == ""


def test_a_host_that_is_always_busy_is_measured_over_the_budget(clock: Clock) -> None:
    measured, queries = measured_with(OnBusyHost(clock), budget_s=60)
    counts = queries.chances.counts()
    assert counts.disturbed == counts.measured > 10
    assert counts.again <= counts.measured / 5 + 1
    assert measured.seconds > 50


@pytest.mark.parametrize(("limit_s", "verdict"), [(0.5, "fail"), (0.7, "pass")])
def test_a_verdict_says_that_its_blocks_were_disturbed(
    clock: Clock, limit_s: float, verdict: str
) -> None:
    measured, _ = measured_with(OnBusyHost(clock), budget_s=3)
    spec = Catalogue().get("latency_p50")
    assert spec
    limit = Limit("max", limit_s, f'max = "{limit_s} s"')
    outcome = judge(Gate(spec, limit, "thresholds.toml:3", 0.99, "fail"), measured)
    assert outcome.verdict == verdict
    assert outcome.why.endswith("; other processes disturbed 1 of 1 blocks")


def test_a_few_disturbed_blocks_give_no_notice() -> None:
    assert SecondChances(measured=10, again=2, disturbed=5).remark("pairs") == ""
    assert SecondChances(10, 2, 6).remark("pairs") == "other processes disturbed 6 of 10 pairs"


def test_a_sweep_and_a_search_of_threads_end_on_a_busy_host(clock: Clock) -> None:
    worker = OnBusyHost(clock)
    points = [SweepPoint(Sweep("batch", [1, 2]), value, cast(Any, worker)) for value in (1, 2)]
    parts = measure_sweep(
        points,
        count(),
        percentiles=[],
        budget_s=1,
        confidence=0.99,
        seed=0,
        decided=lambda parts: False,
    )
    assert parts[0].measures["latency_p50@batch=1"].value == QUERY_S
    found = threads.search(lambda count: cast(Any, worker), 2, count())
    assert set(found.seen_s) == {1, 2}
