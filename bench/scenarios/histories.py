"""The trend, changes of level, and two saved runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np

from bench.scenarios.scenario import (
    CONFIDENCE,
    INDEPENDENT,
    NEIGHBOURS,
    Run,
    Scenario,
    gate,
    holds,
)
from bench.simulated_times import Random, Series, Times
from pytest_infperf.gates.judge import judge
from pytest_infperf.history import fail_on
from pytest_infperf.history.comparison import compare
from pytest_infperf.history.series import Series as RunSeries, shifts_of
from pytest_infperf.history.store import SavedRun
from pytest_infperf.measure import latency
from pytest_infperf.measure.trend import measure_trend
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.worker.variant_worker import VariantWorker

BETWEEN_RUNS = 0.02
"""Standard deviation of the logarithm of a measure between runs of equal code."""


def _trend(rng: Random, *, past: int) -> Run:
    values = np.exp(rng.normal(0, BETWEEN_RUNS, past + 1)).tolist()
    measured = measure_trend(Measure(values[-1], "s"), values[:-1], CONFIDENCE)
    at = judge(gate("trend", "max", 0.0), measured).verdict
    slower = measure_trend(Measure(1.2 * values[-1], "s"), values[:-1], CONFIDENCE)
    over = judge(gate("trend", "max", 0.0), slower).verdict
    return Run(at, over=over, covers=holds(measured.measures["trend"], 0.0))


def _history(rng: Random, *, runs: int, series: int) -> Run:
    """Search for changes in constant series, as `infperf history --fail-on-change` does."""
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
            covers = holds(change, 0.0)
    at, under, over = verdicts
    return Run(at, under, over, covers)


_VERDICT_OF = {
    fail_on.Finding.KEPT: Verdict.PASS,
    fail_on.Finding.BROKEN: Verdict.FAIL,
    fail_on.Finding.INCONCLUSIVE: Verdict.INCONCLUSIVE,
    fail_on.Finding.NOT_COMPARED: Verdict.INCONCLUSIVE,
}


def scenarios() -> Iterator[Scenario]:
    for past in (3, 5, 20):
        yield Scenario("trend", f"{past} earlier runs", partial(_trend, past=past), 4000)
    for runs, series, count in ((10, 1, 2000), (30, 1, 1000), (100, 1, 300), (30, 20, 300)):
        simulate = partial(_history, runs=runs, series=series)
        yield Scenario("history", f"{series} series of {runs} runs", simulate, count)
    for case, times in (("independent", INDEPENDENT), ("correlated over 10 queries", NEIGHBOURS)):
        yield Scenario("compare", case, partial(_compared, times=times), 1000, 1.5)
