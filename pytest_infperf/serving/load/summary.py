"""Measures and evidence of one run of a load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np

from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.records.catalogue import (
    REPORTED_PERCENTILES,
    TOKENS_AT_POINTS,
    percentile_of,
)
from pytest_infperf.records.evidence import CpuWindows, LoadEvidence, SteadyPart, TokenCounts
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.serving.load.rate_search import SustainedRate
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.timeline import timeline
from pytest_infperf.serving.load.tokens import token_times, why_uncounted
from pytest_infperf.serving.load.traffic import Reply
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
    answers = [(reply.done_s, 1.0) for reply in run.answered]
    rate = _rate(run, answers, "requests/s", confidence)
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
    broken: Mapping[float, str] = {}
    if sustained:
        broken = sustained.broken
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
        broken_limits={f"{rate:.6g}": limit for rate, limit in broken.items()},
        **_token_evidence(run),
    )


def token_measures(run: LoadRun, percentiles: Sequence[str], confidence: float) -> Measured:
    """Return the measures of the tokens of a run, without the name of the load.

    Times are those of the steady state, and rates of tokens those of the whole run. `percentiles`
    are measures such as `ttft_p75`, in addition to those that are always reported. Without streamed
    responses, all measures are missing.
    """
    if reason := run.why_no_tokens:
        return Measured(missing=dict.fromkeys((*TOKENS_AT_POINTS, *percentiles), reason))
    measured = token_times(run.steady_replies).measured(percentiles, confidence)
    if reason := why_uncounted(run.answered):
        names = {*measured.missing, "token_throughput"}
        return replace(measured, missing=dict.fromkeys(names, reason))
    rate = _rate(run, _token_counts(run.answered), "tokens/s", confidence)
    return replace(measured, measures={**measured.measures, "token_throughput": rate})


def _token_counts(replies: Sequence[Reply]) -> Iterator[tuple[float, float]]:
    """Yield the moments at which output arrived, each with its equal part of the tokens."""
    for reply in replies:
        arrivals_s = reply.arrivals_s or [reply.done_s]
        for at_s in arrivals_s:
            yield at_s, (reply.output_tokens or 0) / len(arrivals_s)


def _token_evidence(run: LoadRun) -> dict[str, Any]:
    """Return the fields of the evidence on tokens; none if responses are not to be streamed."""
    if not run.streams:
        return {}
    if reason := run.why_no_tokens:
        return {"why_no_tokens": reason}
    if reason := why_uncounted(run.answered):
        prompt = output = None
    else:
        prompt = sum(reply.prompt_tokens or 0 for reply in run.answered)
        output = sum(reply.output_tokens or 0 for reply in run.answered)
    pieces = sum(len(reply.arrivals_s or ()) for reply in run.answered)
    return {"tokens": TokenCounts(prompt, output, pieces), "why_no_tokens": reason}


def _error_rate(run: LoadRun, confidence: float) -> Measure:
    """Return the fraction of errors, with an interval that allows for bursts of errors."""
    n = len(run.replies) + run.traffic.dropped
    failed = [not reply.ok for reply in run.replies] + [True] * run.traffic.dropped
    low, high = proportion_of(np.array(failed), confidence)
    return Measure(run.error_rate, "fraction", low, high, n)


def _rate(
    run: LoadRun, counts: Iterable[tuple[float, float]], unit: str, confidence: float
) -> Measure:
    """Return a number per second, from the first request to the last response.

    `counts` has moments of the monotonic clock, each with what is counted then.
    """
    parts = max(1, min(_MAX_PARTS, int(run.seconds / _PART_S)))
    part_s = run.seconds / parts
    sums = [0.0] * parts
    for at_s, count in counts:
        sums[min(parts - 1, int((at_s - run.first_sent_s) / part_s))] += count
    bounds = means.mean([total / part_s for total in sums], confidence)
    return Measure(sum(sums) / run.seconds, unit, *bounds, len(run.answered))


def _scaled(measure: Measure, factor: float, unit: str) -> Measure:
    low, high = (None if b is None else b * factor for b in (measure.low, measure.high))
    return replace(measure, value=measure.value * factor, unit=unit, low=low, high=high)
