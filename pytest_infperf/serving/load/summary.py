"""Measures and evidence of one run of a load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.records.catalogue import REPORTED_PERCENTILES, percentile_of
from pytest_infperf.records.evidence import CpuWindows, LoadEvidence, SteadyPart
from pytest_infperf.records.measure import Measure
from pytest_infperf.serving.load.rate_search import SustainedRate
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.timeline import timeline
from pytest_infperf.serving.load.usage import WINDOW_S
from pytest_infperf.stats import means, quantile
from pytest_infperf.stats.proportion import proportion_of

_PART_S = 0.2
_MAX_PARTS = 100
"""Number of parts of a run whose rates give the interval of the whole run's rate."""


def measures(
    run: LoadRun,
    confidence: float,
    usd_per_hour: float | None,
    sustained: SustainedRate | None,
    repetition_means_s: Sequence[float] = (),
) -> Iterator[tuple[str, Measure]]:
    """Yield the measures of a run by name.

    With repetitions, the average latency and its interval are those of their means. Cost is omitted
    if the price of the host is not known, energy if it is not counted, the growth of memory if the
    run is short, the highest rate if it was not searched for, and the server's usage if it runs on
    another host.
    """
    latencies = [reply.latency_s for reply in run.steady_replies]
    n = len(latencies)
    averaged = repetition_means_s or latencies
    mean_bounds = means.mean(averaged, confidence)
    yield "latency_mean", Measure(fmean(averaged), "s", *mean_bounds, n)
    yield "latency_min", Measure(min(latencies), "s", n=n)
    yield "latency_max", Measure(max(latencies), "s", n=n)
    for name in REPORTED_PERCENTILES:
        p = percentile_of(name)
        bounds = quantile.order_statistic_interval(latencies, p, confidence)
        yield name, Measure(quantile.percentile(latencies, p), "s", *bounds, n)
    rate = _rate(run, confidence)
    yield "throughput", _scaled(rate, run.traffic.samples, "samples/s")
    yield "requests_per_hour", _scaled(rate, 3600, "requests/h")
    yield "error_rate", _error_rate(run, confidence)
    if run.usage.is_known:
        windows = run.cores_by_window
        bounds = means.mean(windows, confidence)
        yield "cpu_usage", Measure(run.cores, "cores", *bounds, max(1, len(windows)))
        yield "peak_memory", Measure(run.usage.peak_memory_bytes, "bytes")
    if growth := run.usage.memory_growth(confidence):
        slope, low, high = (number / 1e6 for number in growth)
        yield "memory_growth", Measure(slope, "MB/h", low, high, len(run.usage.samples))
    if energy := run.usage.energy:
        name = "estimated_energy_per_request" if energy.estimated else "energy_per_request"
        yield name, Measure(energy.joules / len(run.answered), "J", n=len(run.answered))
    if usd_per_hour is not None:
        yield "cost_per_million", cost_per_million(rate, usd_per_hour)
    if sustained:
        yield "highest_rate", Measure(sustained.rate, "requests/s", *sustained.bounds, n)


def evidence(
    run: LoadRun, sustained: SustainedRate | None, doubt: str, died_workers: int
) -> LoadEvidence:
    """Return the evidence of a run, and of the discarded runs before it, for the record."""
    failed = Counter(r.error or f"HTTP {r.status}" for r in run.replies if not r.ok)
    (first, end), windows = run.steady_range, run.cores_by_window
    trials: dict[float, bool] = {}
    if sustained:
        judged = {rate: kept is True for rate, kept in sustained.judged.items()}
        trials = {**sustained.trials, **judged}
    return LoadEvidence(
        requests=len(run.replies),
        answered=len(run.answered),
        errors=dict(failed),
        dropped=run.traffic.dropped,
        seconds=run.seconds,
        timeline=timeline(run.replies, run.usage, run.first_sent_s, run.last_done_s),
        steady=SteadyPart(first, end, len(run.answered)),
        service_mean_s=fmean(reply.service_s for reply in run.steady_replies),
        generator_busy=[generator.busy for generator in run.traffic.generators],
        generator_lag_p99_s=run.lag_p99_s,
        cpu_usage_by_window=CpuWindows(
            WINDOW_S, fmean(windows) if windows else None, max(windows, default=None)
        ),
        energy_source=run.usage.energy.source if run.usage.energy else None,
        died_workers=died_workers,
        trials={f"{rate:.6g}": is_sustained for rate, is_sustained in trials.items()},
        doubt=doubt,
        spoilt_runs=list(run.discarded_runs),
    )


def _error_rate(run: LoadRun, confidence: float) -> Measure:
    """Return the fraction of errors, with an interval that allows for bursts of errors."""
    n = len(run.replies) + run.traffic.dropped
    failed = [not reply.ok for reply in run.replies] + [True] * run.traffic.dropped
    low, high = proportion_of(np.array(failed), confidence)
    return Measure(run.error_rate, "fraction", low, high, n)


def _rate(run: LoadRun, confidence: float) -> Measure:
    """Return the answers per second, from the first request to the last response."""
    parts = max(1, min(_MAX_PARTS, int(run.seconds / _PART_S)))
    part_s = run.seconds / parts
    counts = Counter(
        min(parts - 1, int((reply.done_s - run.first_sent_s) / part_s)) for reply in run.answered
    )
    rates = [counts[i] / part_s for i in range(parts)]
    bounds = means.mean(rates, confidence)
    return Measure(len(run.answered) / run.seconds, "requests/s", *bounds, len(run.answered))


def _scaled(measure: Measure, factor: float, unit: str) -> Measure:
    low, high = (None if b is None else b * factor for b in (measure.low, measure.high))
    return replace(measure, value=measure.value * factor, unit=unit, low=low, high=high)
