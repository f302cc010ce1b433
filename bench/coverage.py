"""How often each verdict is wrong, and what each interval covers; of paired ratios see `verdicts`.

The functions of a run measure, look and judge; only times, answers and requests are drawn at
random. A verdict is wrong that passes a limit, or fails it, where the truth is the limit itself:
that is the hardest case, in which only "inconclusive" is right. The limit of a share is 1 %, and
what chance adds to it in that many runs.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.finding import Finding
from bench.simulated_times import Random, Series, Times
from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.gates.judge import judge
from pytest_infperf.gates.result import is_decided
from pytest_infperf.history import fail_on
from pytest_infperf.history.comparison import compare
from pytest_infperf.history.series import Series as RunSeries, shifts_of
from pytest_infperf.history.store import SavedRun
from pytest_infperf.measure import latency, sweep
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.latency import measure_latency
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.sweep import SweepPoint, measure_sweep
from pytest_infperf.measure.throughput import SetRun, throughput
from pytest_infperf.measure.trend import measure_trend
from pytest_infperf.metrics.accuracy import Accuracy
from pytest_infperf.metrics.bleu import Bleu
from pytest_infperf.metrics.f1 import F1
from pytest_infperf.records.catalogue import Catalogue, LimitRule, quality_spec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.run.context import seconds_to_decide
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.measure import LoadTest
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.traffic import GeneratorUsage, Reply, Traffic
from pytest_infperf.serving.load.usage import Usage, UsageSample
from pytest_infperf.suite.loads import OpenLoop, Server
from pytest_infperf.suite.suite import Sweep
from pytest_infperf.thresholds.gate import Gate, Limit
from pytest_infperf.worker.messages import BlockDone
from pytest_infperf.worker.variant_worker import VariantWorker

CONFIDENCE = 0.99
_SEED = 20
_CHUNK = 25
"""Runs that a process takes at once."""
_CHANCE = 0.999
"""Share of series of runs that chance leaves within the limit, if the error is 1 %."""

_CATALOGUE = Catalogue(
    tuple(quality_spec(name, "points", True) for name in ("accuracy", "f1", "bleu")),
    {"rate=50": "load", "rate=80": "load", "Server": "load"},
    ["batch"],
)


@dataclass(frozen=True)
class Run:
    """The verdicts of one simulated run, and whether its interval holds the truth."""

    at: Verdict
    """The verdict where the truth is the limit."""
    under: Verdict | None = None
    """The verdict where the truth is better than the limit by a tenth, or as the scenario says."""
    over: Verdict | None = None
    """The verdict where it is worse."""
    covers: bool | None = None
    """Whether the interval holds the truth; None without an interval."""


@dataclass(frozen=True)
class Scenario:
    """One kind of verdict under one kind of noise."""

    kind: str
    case: str
    simulate: Callable[[Random], Run]
    runs: int
    bar: float = 1.0
    """The allowed share of wrong verdicts, in per cent."""

    @property
    def limit(self) -> float:
        """The bar, and what chance adds to it in that many runs, in per cent."""
        return 100 * float(stats.binom.ppf(_CHANCE, self.runs, self.bar / 100)) / self.runs

    def findings(self, runs: Sequence[Run]) -> Iterator[Finding]:
        """Yield the share of wrong verdicts, and the share of intervals without the truth."""
        at = Counter(run.at for run in runs)
        detail = [f"{count} {verdict} at the limit" for verdict, count in sorted(at.items())]
        for name in ("under", "over"):
            verdicts = Counter(verdict for run in runs if (verdict := getattr(run, name)))
            if total := verdicts.total():
                shares = ", ".join(
                    f"{v} {100 * n / total:.3g} %" for v, n in sorted(verdicts.items())
                )
                detail.append(f"{'better' if name == 'under' else 'worse'}: {shares}")
        wrong = max(at[Verdict.PASS], at[Verdict.FAIL])
        yield self._finding("wrong at the limit", wrong, len(runs), "; ".join(detail))
        intervals = [run.covers for run in runs if run.covers is not None]
        if intervals:
            missed = intervals.count(False)
            without = f"{len(runs) - len(intervals)} without an interval"
            yield self._finding("intervals without the truth", missed, len(runs), without)

    def _finding(self, what: str, count: int, runs: int, detail: str) -> Finding:
        name = f"{self.kind}, {self.case}: {what}"
        return Finding(name, 100 * count / runs, "%", self.limit, detail=f"{runs} runs; {detail}")


def findings() -> Iterator[Finding]:
    """Simulate all scenarios on all cores but one, or two at least."""
    scenarios = all_scenarios()
    with ProcessPoolExecutor(max(2, (os.cpu_count() or 2) - 1)) as pool:
        futures = [
            [
                pool.submit(runs_of, number, first, min(first + _CHUNK, scenario.runs))
                for first in range(0, scenario.runs, _CHUNK)
            ]
            for number, scenario in enumerate(scenarios)
        ]
        for scenario, parts in zip(scenarios, futures, strict=True):
            yield from scenario.findings([run for part in parts for run in part.result()])


def runs_of(scenario: int, first: int, end: int) -> list[Run]:
    """Return some runs of a scenario, each with a seed of its own."""
    simulate = all_scenarios()[scenario].simulate
    return [simulate(np.random.default_rng([_SEED, scenario, run])) for run in range(first, end)]


def _gate(measure: str, rule: LimitRule, value: float) -> Gate:
    spec = _CATALOGUE.get(measure)
    assert spec
    return Gate(spec, Limit(rule, value, f"{rule} = {value:g}"), "bench", CONFIDENCE, "fail")


def _covers(measure: Measure, truth: float) -> bool | None:
    if measure.low is None and measure.high is None:
        return None
    low, high = measure.low, measure.high
    return (low is None or low <= truth) and (high is None or truth <= high)


def _judged(measured: Measured, measure: str, truth: float, rule: LimitRule) -> Run:
    """Return the verdicts on limits at the truth, and a tenth on either side of it."""
    better, worse = (0.9, 1.1) if rule == "min" else (1.1, 0.9)
    at, under, over = (
        judge(_gate(measure, rule, factor * truth), measured).verdict
        for factor in (1.0, better, worse)
    )
    return Run(at, under, over, _covers(measured.measures[measure], truth))


# Latencies of single queries.

QUERY_S = 0.02
FAST_QUERY_S = 0.002
BUDGET_S = 20.0
_EVERY = 8
"""Of so many runs, one is judged by the limits a tenth away as well."""


@dataclass
class SimulatedWorker:
    """A worker whose queries take times of a series, on a clock of its own."""

    series: Series
    query_s: float = QUERY_S
    now_s: float = 0.0
    first_query_s: float = 0.1
    load_s: float = 1.0

    def run(self, queries: Sequence[Any], length: int | None = None, **_: object) -> BlockDone:
        seconds = self.query_s * self.series.draw(len(queries))
        times = (1e9 * seconds).astype(int).tolist()
        self.now_s += float(seconds.sum())
        wall = sum(times)
        return BlockDone(times, times, wall, wall, 0, None)

    def clock(self) -> float:
        return self.now_s


def _percentile(rng: Random, *, times: Times, p: float, query_s: float = QUERY_S) -> Run:
    name, truth = f"latency_p{100 * p:g}", query_s * _true_percentile(times, p)

    def verdict(limit: float) -> tuple[Verdict, Measured]:
        worker = SimulatedWorker(Series(times, rng), query_s)
        gates = [_gate(name, "max", limit)]
        with mock.patch.object(latency, "perf_counter", worker.clock):
            measured, _ = measure_latency(
                cast(VariantWorker, worker),
                repeat(0),
                lambda number: None,
                percentiles=[name],
                budget=Budget(1000 * query_s),
                confidence=CONFIDENCE,
                remaining=seconds_to_decide(gates),
            )
        return judge(gates[0], measured).verdict, measured

    at, measured = verdict(truth)
    covers = _covers(measured.measures[name], truth)
    if rng.integers(_EVERY):
        return Run(at, covers=covers)
    return Run(at, verdict(1.1 * truth)[0], verdict(0.9 * truth)[0], covers)


_true_percentile = cache(Times.percentile)
_true_mean = cache(Times.mean)

INDEPENDENT = Times("independent")
HEAVY = Times("heavy")
NEIGHBOURS = Times("correlated", 0.9)
BURSTS = Times("bursts")


def _latencies() -> Iterator[Scenario]:
    for p in (0.5, 0.9, 0.99):
        for case, times, bar, query_s in (
            ("independent", INDEPENDENT, 1.0, QUERY_S),
            ("heavy tail", HEAVY, 1.0, QUERY_S),
            ("correlated over 10 queries", NEIGHBOURS, 3.0, FAST_QUERY_S),
            ("bursts of 10 queries, every 100", BURSTS, 5.0, FAST_QUERY_S),
        ):
            simulate = partial(_percentile, times=times, p=p, query_s=query_s)
            if (times, p) == (BURSTS, 0.9):  # as many queries are in bursts as may be over it
                bar = 8.0
            yield Scenario(f"latency_p{100 * p:g}", case, simulate, 400, bar)


# Throughput and its cost.

BATCH = 32


def _throughput(rng: Random, *, times: Times, batches: int, cost: bool = False) -> Run:
    seconds = Series(times, rng).draw(batches).tolist()
    numbers = range(BATCH * batches)
    measured = throughput(SetRun(numbers, numbers, [BATCH] * batches, seconds), CONFIDENCE)
    truth = BATCH / _true_mean(times)
    if not cost:
        return _judged(measured, "throughput", truth, "min")
    usd_per_hour = 3.6
    price = cost_per_million(measured.measures["throughput"], usd_per_hour)
    paid = Measured({"cost_per_million": price})
    return _judged(paid, "cost_per_million", usd_per_hour / 3600 * 1e6 / truth, "max")


def _throughputs() -> Iterator[Scenario]:
    for batches, case, times, bar in (
        (13, "independent", INDEPENDENT, 1.0),
        (60, "independent", INDEPENDENT, 1.0),
        (60, "correlated over 2 batches", Times("correlated", 0.5), 2.0),
        (200, "correlated over 10 batches", NEIGHBOURS, 3.0),
        (1000, "bursts of 10 batches, every 100", BURSTS, 3.0),
    ):
        simulate = partial(_throughput, times=times, batches=batches)
        yield Scenario("throughput", f"{batches} batches, {case}", simulate, 4000, bar)
    cost = partial(_throughput, times=INDEPENDENT, batches=60, cost=True)
    yield Scenario("cost_per_million", "60 batches, independent", cost, 4000)


# Quality.


def _scored(scoring: Scoring, outputs: Sequence[Any], baseline: Sequence[Any] | None) -> Measured:
    ours, theirs = (
        answers and SetRun(range(len(answers)), answers, [1], [1.0])
        for answers in (outputs, baseline)
    )
    assert ours
    return scoring.quality(ours, theirs or None)


def _scoring(metric: Any, references: Sequence[Any]) -> Scoring:
    return Scoring([metric], references, CONFIDENCE, 1, whole_set=False)


def _accuracy(rng: Random, *, n: int, share: float) -> Run:
    answers = np.where(rng.random(n) < share, "right", "wrong").tolist()
    measured = _scored(_scoring(Accuracy(), ["right"] * n), answers, None)
    return _judged(measured, "accuracy", 100 * share, "min")


def _accuracy_drop(rng: Random, *, n: int, lost: float, won: float) -> Run:
    """The variant loses and wins these shares of the samples against the baseline."""
    draws = rng.random(n)
    is_lost, is_won = draws < lost, draws > 1 - won
    both_wrong = (draws >= lost) & (draws < lost + 0.05)
    ours = np.where(is_lost | both_wrong, "wrong", "right")
    theirs = np.where(is_won | both_wrong, "wrong", "right")
    measured = _scored(_scoring(Accuracy(), ["right"] * n), ours.tolist(), theirs.tolist())
    return _drop(measured, "accuracy", 100 * (lost - won))


def _drop(measured: Measured, metric: str, drop: float) -> Run:
    verdict = judge(_gate(metric, "max_drop", drop), measured).verdict
    return Run(verdict, covers=_covers(measured.differences[metric], -drop))


LABELS = ("common", "usual", "rare")
LABEL_SHARES = (0.6, 0.3, 0.1)


def _labelled(rng: Random, n: int, share: float) -> tuple[list[str], list[str]]:
    """Return answers, of which that share is right, and references."""
    truth = rng.choice(len(LABELS), n, p=LABEL_SHARES)
    other = (truth + rng.integers(1, len(LABELS), n)) % len(LABELS)
    answers = np.where(rng.random(n) < share, truth, other)
    return [LABELS[i] for i in answers], [LABELS[i] for i in truth]


def _true_f1(share: float) -> float:
    """Return the macro F1 of the population that `_labelled` draws from, in points."""
    scores = []
    for label in LABEL_SHARES:
        right, missed = label * share, label * (1 - share)
        taken = (1 - label) * (1 - share) / (len(LABELS) - 1)
        scores.append(2 * right / (2 * right + missed + taken))
    return 100 * sum(scores) / len(scores)


def _f1(rng: Random, *, n: int, share: float) -> Run:
    answers, references = _labelled(rng, n, share)
    measured = _scored(_scoring(F1(), references), answers, None)
    return _judged(measured, "f1", _true_f1(share), "min")


class DrawnBleu(Bleu):
    """BLEU of sentences that are drawn from a bank, whose statistics are known."""

    def statistics(self, outputs: Sequence[Any], references: Sequence[Any]) -> NDArray[np.float64]:
        bank = _sentences()
        return np.array(
            [
                bank[output][reference] if output in bank else bank["none"][reference]
                for output, reference in zip(outputs, references, strict=True)
            ]
        )


@cache
def _sentences() -> dict[Any, NDArray[np.float64]]:
    """Return the statistics of 500 sentences by the system that translated them."""
    rng = np.random.default_rng(14)
    references = [rng.integers(300, size=rng.integers(6, 25)) for _ in range(500)]

    def translated(wrong: float) -> list[str]:
        kept = (
            np.where(rng.random(len(r)) < wrong, rng.integers(300, size=len(r)), r)
            for r in references
        )
        return [" ".join(f"w{word}" for word in words) for words in kept]

    truth = [" ".join(f"w{word}" for word in words) for words in references]
    metric = Bleu()
    base = translated(0.35)
    changed = [a if rng.random() < 0.8 else b for a, b in zip(base, translated(0.5), strict=True)]
    systems = {"base": base, "variant": changed, "none": ["\uffff"] * 500}
    return {name: metric.statistics(texts, truth) for name, texts in systems.items()}


def _bleu(rng: Random, *, n: int) -> Run:
    metric, numbers = DrawnBleu(), rng.integers(500, size=n).tolist()
    measured = _scored(_scoring(metric, numbers), ["variant"] * n, ["base"] * n)
    ours, theirs = (metric.score(_sentences()[name].sum(axis=0)) for name in ("variant", "base"))
    return _drop(measured, "bleu", theirs - ours)


def _qualities() -> Iterator[Scenario]:
    for n in (30, 100, 300):
        for share in (0.9, 0.99):
            simulate = partial(_accuracy, n=n, share=share)
            yield Scenario("accuracy", f"{100 * share:g} % of {n}", simulate, 2000)
    for n, lost, won, case in (
        (30, 0.05, 0.0, "5 lost"),
        (100, 0.01, 0.0, "1 lost: mostly equal outputs"),
        (300, 0.03, 0.01, "3 lost, 1 won"),
    ):
        drop = partial(_accuracy_drop, n=n, lost=lost, won=won)
        yield Scenario("accuracy, drop", f"{case} of 100, n = {n}", drop, 2000)
    for n, share in ((30, 0.9), (100, 0.98), (300, 0.9), (300, 0.98)):
        yield Scenario("f1", f"{100 * share:g} % of {n}", partial(_f1, n=n, share=share), 400)
    for n in (100, 300):
        yield Scenario("bleu, drop", f"n = {n}", partial(_bleu, n=n), 200)


# The growth of a sweep.

_ROUNDS = 48


def _growth(rng: Random, *, times: Times, growth: float) -> Run:
    values = Sweep("batch", [1, 2, 4, 8])
    series = Series(times, rng)
    points = [
        SweepPoint(
            values, value, cast(VariantWorker, SimulatedWorker(series, 0.05 * value**growth))
        )
        for value in values.values
    ]
    workers = [cast(SimulatedWorker, point.worker) for point in points]

    def clock() -> float:
        return sum(worker.now_s for worker in workers)

    name = "growth@batch"
    gates = [_gate(name, "max", growth)]
    with mock.patch.object(sweep, "perf_counter", clock):
        parts = measure_sweep(
            points,
            repeat(0),
            percentiles=[],
            budget_s=_ROUNDS * sum(worker.query_s for worker in workers),
            confidence=CONFIDENCE,
            seed=int(rng.integers(2**31)),
            decided=lambda parts: is_decided(parts, gates),
        )
    at, under, over = (
        judge(_gate(name, "max", limit), parts[-1]).verdict
        for limit in (growth, 1.1 * growth, 0.9 * growth)
    )
    return Run(at, under, over, _covers(parts[-1].measures[name], growth))


def _growths() -> Iterator[Scenario]:
    for case, times in (("independent", INDEPENDENT), ("correlated over 10 queries", NEIGHBOURS)):
        yield Scenario("growth", case, partial(_growth, times=times, growth=0.9), 1000)


# History: the trend, changes of level, and two saved runs.

BETWEEN_RUNS = 0.02
"""Standard deviation of the logarithm of a measure between runs of equal code."""


def _trend(rng: Random, *, past: int) -> Run:
    values = np.exp(rng.normal(0, BETWEEN_RUNS, past + 1)).tolist()
    measured = measure_trend(Measure(values[-1], "s"), values[:-1], CONFIDENCE)
    at = judge(_gate("trend", "max", 0.0), measured).verdict
    slower = measure_trend(Measure(1.2 * values[-1], "s"), values[:-1], CONFIDENCE)
    over = judge(_gate("trend", "max", 0.0), slower).verdict
    return Run(at, over=over, covers=_covers(measured.measures["trend"], 0.0))


def _history(rng: Random, *, runs: int, series: int) -> Run:
    """Look for changes in series without one, as `infperf history --fail-on-change` does."""
    followed = [
        RunSeries("suite", "variant", f"latency_p{i}", "s", "host", values=values)
        for i, values in enumerate(np.exp(rng.normal(0, BETWEEN_RUNS, (series, runs))).tolist())
    ]
    for each in followed:
        each.runs = [cast(SavedRun, None)] * runs
    found = any(shifts for _, shifts in shifts_of(followed, CONFIDENCE))
    return Run(Verdict.FAIL if found else Verdict.INCONCLUSIVE)


def _compared(rng: Random, *, times: Times) -> Run:
    """Compare two saved runs of equal code; then of code that is slower by a tenth."""

    def saved(factor: float) -> SavedRun:
        seconds = (factor * Series(times, rng).draw(1000)).tolist()
        queries = latency.Queries(
            query_ns=[int(1e7 * s) for s in seconds],
            model_ns=[int(1e7 * s) for s in seconds],
            cpu_s=seconds,
            block_queries=[1.0] * len(seconds),
        )
        started = cast(VariantWorker, SimpleNamespace(first_query_s=1.0, load_s=1.0))
        measured = queries.measured_at(started, [], CONFIDENCE, lambda number: None)
        record = Record("suite", "variant", dict(measured.measures))
        return SavedRun(Path(), datetime.min, RunRecord({}, {}, [record]))

    limits = fail_on.parse("latency_p50:0%")
    verdicts = []
    for factor in (1.0, 0.9, 1.1):
        comparison = compare(saved(1.0), saved(factor))
        changes = [c for c in comparison.changes if c.measure == "latency_p50"]
        (compared,) = fail_on.judge(changes, limits)
        verdicts.append(_VERDICT_OF[compared.finding])
        if factor == 1.0:
            change = changes[0].change
            assert change
            covers = _covers(change, 0.0)
    at, under, over = verdicts
    return Run(at, under, over, covers)


_VERDICT_OF = {
    fail_on.Finding.KEPT: Verdict.PASS,
    fail_on.Finding.BROKEN: Verdict.FAIL,
    fail_on.Finding.UNCERTAIN: Verdict.INCONCLUSIVE,
    fail_on.Finding.NOT_COMPARED: Verdict.INCONCLUSIVE,
}


def _histories() -> Iterator[Scenario]:
    for past in (3, 5, 20):
        yield Scenario("trend", f"{past} earlier runs", partial(_trend, past=past), 4000)
    for runs, series, count in ((10, 1, 2000), (30, 1, 1000), (100, 1, 300), (30, 20, 300)):
        simulate = partial(_history, runs=runs, series=series)
        yield Scenario("history", f"{series} series of {runs} runs", simulate, count)
    for case, times in (("independent", INDEPENDENT), ("correlated over 10 queries", NEIGHBOURS)):
        yield Scenario("compare", case, partial(_compared, times=times), 1000, 1.5)


# Loads, on a queue with one server and exponential times: its latencies are exponential as well.

SERVICE_RATE = 100.0
LOAD_S = 60.0


@dataclass
class SimulatedQueue:
    """A driver of load whose server is an M/M/1 queue, of which a share of requests fail."""

    rng: Random
    failing: float = 0.0
    seed: int = 0
    died_workers: int = 0

    def report_progress(self, text: str) -> None:
        """Do nothing."""

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
        # Lindley's recursion: a request begins when it is due or the one before is done. The first
        # finds the queue in its steady state.
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
    return _judged(measured, f"latency_p{100 * p:g}@{load.name}", truth, "max")


def _load_rate(rng: Random, *, measure: str, failing: float = 0.0) -> Run:
    measured = _load_test(rng, failing).measure(OpenLoop(50.0), LOAD_S).measured
    if measure == "error_rate":
        return _judged(measured, "error_rate@rate=50", failing, "max")
    return _judged(measured, "throughput@rate=50", 50.0, "min")


def _highest_rate(rng: Random) -> Run:
    limit_s = 0.1
    truth = SERVICE_RATE - math.log(100) / limit_s
    load = Server(limit_s=limit_s)

    def verdict(rate: float) -> Verdict:
        measured = _load_test(rng, rates=[rate]).measure(load, LOAD_S).measured
        return judge(_gate("highest_rate@Server", "min", rate), measured).verdict

    return Run(verdict(truth), verdict(0.8 * truth), verdict(1.2 * truth))


def _loads() -> Iterator[Scenario]:
    for p, busy, seconds in ((0.5, 0.5, 60), (0.99, 0.5, 60), (0.9, 0.8, 300)):
        simulate = partial(_load_percentile, p=p, busy=busy, seconds=seconds)
        case = f"a queue that is busy for {100 * busy:g} %, {seconds} s"
        yield Scenario(f"latency_p{100 * p:g} of a load", case, simulate, 300, 3.0)
    rate = partial(_load_rate, measure="throughput")
    yield Scenario("throughput of a load", "Poisson arrivals", rate, 400)
    errors = partial(_load_rate, measure="error_rate", failing=0.01)
    yield Scenario("error_rate", "1 % of 3,000 requests", errors, 600)
    yield Scenario("highest_rate", "p99 within 0.1 s", _highest_rate, 200)


@cache
def all_scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios in the order of the table."""
    groups = (_latencies, _throughputs, _qualities, _growths, _histories, _loads)
    return tuple(scenario for group in groups for scenario in group())
