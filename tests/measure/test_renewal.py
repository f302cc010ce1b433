"""Both sides are restarted, so that the interval includes the difference between processes."""

from __future__ import annotations

import random
from itertools import count
from typing import Any, cast

import pytest

from pytest_infperf.errors import WorkerError
from pytest_infperf.measure import paired
from pytest_infperf.measure.paired import WorkerPairs, measure_speedup
from pytest_infperf.worker.messages import BlockDone

BUDGET_S = 60.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Side:
    """A worker that answers each query in a millisecond and counts its processes."""

    def __init__(self, clock: Clock, load_s: float) -> None:
        self.clock, self.load_s = clock, load_s
        self.processes = 1
        self.fails = self.closed = False

    def run(self, queries: list[list[int]], *, least_ns: int, turn: int = 0) -> BlockDone:
        times = [1_000_000] * max(len(queries), least_ns // 1_000_000)
        self.clock.now_s += sum(times) / 1e9
        return BlockDone(times, times, sum(times), sum(times), 0, None)

    def restart(self) -> None:
        self.processes += 1

    def finish_restart(self) -> None:
        self.clock.now_s += self.load_s
        if self.fails:
            raise WorkerError("killed by SIGKILL")

    def close(self) -> None:
        self.closed = True


def processes(monkeypatch: pytest.MonkeyPatch, load_s: float, pairs: int) -> set[int]:
    clock = Clock()
    monkeypatch.setattr(paired, "perf_counter", clock)
    baseline, variant = Side(clock, load_s), Side(clock, 0.0)
    worker = WorkerPairs(cast(Any, baseline), cast(Any, variant), count(), random.Random(0))
    measured = measure_speedup(
        worker,
        budget_s=BUDGET_S,
        confidence=0.99,
        decided=lambda _: len(worker.log_ratios) >= pairs,
    )
    assert measured.measures["speedup"].n == pairs
    assert measured.seconds <= BUDGET_S
    return {baseline.processes, variant.processes, worker.processes}


def test_a_clear_case_needs_one_process_of_each_side(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes(monkeypatch, load_s=0.1, pairs=12) == {1}


def test_both_sides_are_restarted_every_12_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes(monkeypatch, load_s=0.1, pairs=96) == {8}


def test_a_restart_waits_until_it_costs_half_of_the_measuring_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pair takes 40 ms, so a restart of 0.9 s is worth its cost after 45 pairs, not after 12."""
    assert processes(monkeypatch, load_s=0.9, pairs=96) == {3}


def test_a_worker_that_takes_longer_to_start_is_not_restarted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert processes(monkeypatch, load_s=5.0, pairs=96) == {1}


@pytest.mark.parametrize("failing", [0, 1])
def test_both_sides_end_if_one_cannot_restart(
    monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The other side may still owe an answer, and the next test would use it."""
    clock = Clock()
    monkeypatch.setattr(paired, "perf_counter", clock)
    sides = [Side(clock, 0.1), Side(clock, 0.1)]
    sides[failing].fails = True
    worker = WorkerPairs(*cast(Any, sides), count(), random.Random(0))
    with pytest.raises(WorkerError, match="killed by SIGKILL"):
        measure_speedup(worker, budget_s=BUDGET_S, confidence=0.99, decided=lambda _: False)
    assert all(side.closed for side in sides)
    assert len(worker.log_ratios) == 12
