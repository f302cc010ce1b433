"""Loads on a queue with one server and exponential times, whose latencies are exponential too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from bench.scenarios.scenario import (
    BUDGET_S,
    CONFIDENCE,
    Run,
    Scenario,
    gate,
    judged,
)
from bench.simulated_times import Random
from pytest_infperf.gates.judge import judge
from pytest_infperf.records.record import Verdict
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.measure import LoadTest
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.traffic import GeneratorUsage, Reply, Traffic
from pytest_infperf.serving.load.usage import Usage, UsageSample
from pytest_infperf.suite.loads import OpenLoop, Server

SERVICE_RATE = 100.0
LOAD_S = 60.0


@dataclass
class SimulatedQueue:
    """A load driver with an M/M/1 queue as its server. A share of the requests fails."""

    rng: Random
    failing: float = 0.0
    seed: int = 0
    died_workers: int = 0

    def report_progress(self, text: str) -> None:
        """Do nothing."""

    def refusal(self, run: LoadRun) -> str:
        """Return no text: errors of the queue have none."""
        return ""

    def one_by_one(self, requests: int) -> LoadRun:
        times = self.rng.exponential(1 / SERVICE_RATE, requests)
        done = np.cumsum(times)
        return self._recorded(done - times, done)

    def run(self, load: OpenLoop, seconds: float) -> LoadRun:
        return self.at_rate(load.rate, seconds, 0)

    def at_rate(self, rate: float, seconds: float, seed: int) -> LoadRun:
        count = max(2, int(self.rng.poisson(rate * max(seconds, 30 / rate))))
        due = np.cumsum(self.rng.exponential(1 / rate, count))
        times = self.rng.exponential(1 / SERVICE_RATE, count)
        served = np.cumsum(times)
        # Lindley's recursion: a request begins when it is due and the previous one is done. The
        # first request finds the queue in its steady state.
        waiting = 0.0
        if rate < SERVICE_RATE and self.rng.random() < rate / SERVICE_RATE:
            waiting = float(self.rng.exponential(1 / (SERVICE_RATE - rate)))
        before = np.concatenate([[0.0], served[:-1]])
        start = np.maximum.accumulate(np.maximum(due - before, due[0] + waiting))
        return self._recorded(due, start + served)

    def _recorded(self, due: NDArray[np.float64], done: NDArray[np.float64]) -> LoadRun:
        failed = self.rng.random(len(due)) < self.failing
        replies = [
            Reply(sent, sent, answered, 500 if is_failed else 200)
            for sent, answered, is_failed in zip(due.tolist(), done.tolist(), failed, strict=True)
        ]
        end = float(done[-1])
        usage = Usage([UsageSample(0.0, 0.0, 1), UsageSample(end, end, 1)])
        return LoadRun(Traffic(replies, [GeneratorUsage(0.0, end)]), usage)


def _load_test(rng: Random, failing: float = 0.0, rates: Sequence[float] = ()) -> LoadTest:
    queue = cast(LoadDriver, SimulatedQueue(rng, failing))
    return LoadTest(queue, CONFIDENCE, [0.99], BUDGET_S, None, None, rates)


def _load_percentile(rng: Random, *, p: float, busy: float, seconds: float) -> Run:
    load = OpenLoop(busy * SERVICE_RATE)
    measured = _load_test(rng).measure(load, seconds).measured
    truth = -math.log(1 - p) / (SERVICE_RATE - load.rate)
    return judged(measured, f"latency_p{100 * p:g}@{load.name}", truth, "max")


def _load_rate(rng: Random, *, measure: str, failing: float = 0.0) -> Run:
    measured = _load_test(rng, failing).measure(OpenLoop(50.0), LOAD_S).measured
    if measure == "error_rate":
        return judged(measured, "error_rate@rate=50", failing, "max")
    return judged(measured, "throughput@rate=50", 50.0, "min")


def _highest_rate(rng: Random) -> Run:
    limit_s = 0.1
    truth = SERVICE_RATE - math.log(100) / limit_s
    load = Server(limit_s=limit_s)

    def verdict(rate: float) -> Verdict:
        measured = _load_test(rng, rates=[rate]).measure(load, LOAD_S).measured
        return judge(gate("highest_rate@Server", "min", rate), measured).verdict

    return Run(verdict(truth), verdict(0.8 * truth), verdict(1.2 * truth))


def scenarios() -> Iterator[Scenario]:
    for p, busy, seconds in ((0.5, 0.5, 60), (0.99, 0.5, 60), (0.9, 0.8, 300)):
        simulate = partial(_load_percentile, p=p, busy=busy, seconds=seconds)
        case = f"a queue that is busy for {100 * busy:g} %, {seconds} s"
        yield Scenario(f"latency_p{100 * p:g} of a load", case, simulate, 300, 3.0)
    rate = partial(_load_rate, measure="throughput")
    yield Scenario("throughput of a load", "Poisson arrivals", rate, 400)
    errors = partial(_load_rate, measure="error_rate", failing=0.01)
    yield Scenario("error_rate", "1 % of 3,000 requests", errors, 600)
    yield Scenario("highest_rate", "p99 within 0.1 s", _highest_rate, 200)
