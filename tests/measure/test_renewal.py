"""Both sides are restarted, so that the interval includes the difference between processes."""

from __future__ import annotations

import math
import random
from itertools import count
from typing import Any, cast

import pytest

from pytest_infperf.errors import WorkerError
from pytest_infperf.measure import paired
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import WorkerPairs, measure_ratio
from pytest_infperf.worker.messages import BlockDone

BUDGET_S = 60.0
BUDGET = Budget(BUDGET_S)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Side:
    """A worker that answers each query in a millisecond and counts its processes."""

    def __init__(self, clock: Clock, load_s: float, noise: float = 0.0) -> None:
        self.clock, self.load_s, self.noise = clock, load_s, noise
        self.random = random.Random(load_s)
        self.processes = 1
        self.fails = self.closed = False

    def run(self, queries: list[list[int]], *, least_ns: int, turn: int = 0) -> BlockDone:
        query_ns = round(1_000_000 * math.exp(self.random.gauss(0, self.noise)))
        times = [query_ns] * max(len(queries), least_ns // 1_000_000)
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


def processes(
    monkeypatch: pytest.MonkeyPatch, load_s: float, pairs: int, noise: float = 0.0
) -> list[int]:
    """Return the number of pairs of each pair of processes, for a total of `pairs`."""
    clock = Clock()
    monkeypatch.setattr(paired, "perf_counter", clock)
    baseline, variant = Side(clock, load_s, noise), Side(clock, 0.0, noise)
    worker = WorkerPairs(cast(Any, baseline), cast(Any, variant), count(), random.Random(0))
    measured = measure_ratio(
        "speedup",
        worker,
        budget=BUDGET,
        confidence=0.99,
        remaining=lambda measured: 0 if measured.measures["speedup"].n >= pairs else math.inf,
    )
    assert measured.seconds <= BUDGET_S + load_s
    assert baseline.processes == variant.processes == len(worker.by_process)
    return [len(log_ratios) for log_ratios in worker.by_process]


def test_three_processes_are_compared_before_the_first_look_if_starting_them_is_cheap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert processes(monkeypatch, load_s=0.1, pairs=12) == [6, 6, 6]


def test_processes_are_kept_for_longer_where_pairs_vary_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet = processes(monkeypatch, load_s=0.5, pairs=300)
    noisy = processes(monkeypatch, load_s=0.5, pairs=300, noise=0.5)
    assert set(quiet[:-1]) == {6}
    assert max(noisy) > 12


def test_a_worker_that_takes_longer_to_start_than_the_budget_is_not_restarted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert processes(monkeypatch, load_s=BUDGET_S, pairs=96) == [96]


@pytest.mark.parametrize("failing", [0, 1])
def test_both_sides_end_if_one_cannot_restart(
    monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The other side may still have to answer, and the next test would read that answer."""
    clock = Clock()
    monkeypatch.setattr(paired, "perf_counter", clock)
    sides = [Side(clock, 0.1), Side(clock, 0.1)]
    sides[failing].fails = True
    worker = WorkerPairs(*cast(Any, sides), count(), random.Random(0))
    with pytest.raises(WorkerError, match="killed by SIGKILL"):
        measure_ratio(
            "speedup", worker, budget=BUDGET, confidence=0.99, remaining=lambda _: math.inf
        )
    assert all(side.closed for side in sides)
    assert [len(pairs) for pairs in worker.by_process] == [6]
