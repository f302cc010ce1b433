"""A server under load: response times, requests an hour, errors, and what the server used.

Average response time (ART) is `latency_mean`; average CPU usage (ACU) is `cpu_usage`, in cores.
Latency counts from the moment a request was meant to be sent (Tene, "How NOT to Measure Latency",
on coordinated omission), of the steady part of a run alone; errors and requests an hour count all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import psutil

from pytest_infperf import errors
from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.errors import WorkerError
from pytest_infperf.records.catalogue import REPORTED_PERCENTILES, percentile_of
from pytest_infperf.records.evidence import CpuWindows, LoadEvidence, SteadyPart
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import at
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.generators import Target
from pytest_infperf.serving.load.rate_search import Found, highest_rate
from pytest_infperf.serving.load.run import LoadRun
from pytest_infperf.serving.load.timeline import timeline
from pytest_infperf.serving.load.traffic import Traffic
from pytest_infperf.serving.load.usage import WINDOW_S, watched
from pytest_infperf.stats import bootstrap, quantile
from pytest_infperf.suite.loads import (
    ClosedLoop,
    Load,
    Offline,
    OpenLoop,
    Server,
    Soak,
)

__tracebackhide__ = errors.meant_for_the_user

_PROBE = 8
"""Requests one after the other, before rates are tried."""
_FIRST_RATE = 0.5
"""Of what one connection could do: where the search begins."""
_LEAST_REQUESTS = 30
"""Of a trial."""
_LONGEST = 2
"""Times as long as it should be a slow rate lasts at most, for the sake of its requests."""
_ROOM = 4
"""Times the fewest answers that bound a percentile: what is not steady at either end is cut, and
that can be three quarters of them."""
_REPEATS = 2
_CONFIRMATIONS = 5
_CONFIRMED_S = 60.0
"""A rate that a soak of an hour depends on: too high by a hundredth, it would be seen."""
_STEP_DOWN = 0.8
_PART_S = 0.2
_MOST_PARTS = 100
"""Of a run, whose rates give the interval of the whole."""


@dataclass(frozen=True)
class UnderLoad:
    """What a load gave: the measures at its point, and what a record keeps beside them."""

    measured: Measured
    evidence: LoadEvidence


@dataclass(frozen=True)
class Loading:
    """A server, and the way to put load on it."""

    target: Target
    server: psutil.Process
    confidence: float
    percentiles: Sequence[float]
    """Those that limits are on, as shares."""
    budget_s: float
    seed: int
    usd_per_hour: float | None
    highest_rate: float | None
    """Where the scenario Server has found it already."""
    report_progress: Callable[[str], None]

    def measure(self, load: Load, seconds: float) -> UnderLoad:
        """Raises WorkerError when nothing was answered.

        Lasts longer, within the budget, where a percentile with a limit would have no bound, and
        takes another run for one whose generator was late or busy: neither looks at the outcome.
        """
        probe = self._run(lambda: generators.streams(self.target, 60.0, requests=_PROBE))
        if isinstance(load, Soak):
            confirmed_s = min(seconds, _CONFIRMED_S)
            highest = self.highest_rate or self._confirmed_rate(load, confirmed_s)[0].rate
            rate = load.share * highest
            if not rate:
                raise WorkerError(f"no rate keeps the {load.limit}: there is nothing to soak at")
            self.report_progress(f"at {rate:.3g} requests/s")
            soak = OpenLoop(rate)
            return self._result(load, self._run(lambda: self._traffic(soak, seconds)))
        if isinstance(load, Server):
            return self._at_highest_rate(load, seconds)
        self.report_progress("")
        rate = load.rate if isinstance(load, OpenLoop) else 1 / probe.service_mean_s
        lasts_s = self._lasts_s(seconds, rate)
        traffic = partial(self._traffic, load, lasts_s)
        return self._result(load, self._undisturbed(partial(self._run, traffic)))

    def _traffic(self, load: Load, seconds: float) -> Traffic:
        if isinstance(load, ClosedLoop):
            return generators.closed_loop(self.target, load, seconds)
        if isinstance(load, OpenLoop):
            return generators.open_loop(self.target, load.rate, seconds, self.seed)
        connections = load.connections if isinstance(load, Offline) else 1
        return generators.streams(self.target, seconds, connections)

    def _lasts_s(self, seconds: float, rate: float) -> float:
        """So long, or until at this rate enough is answered to bound the percentiles."""
        tail = (1 - self.confidence) / 2
        needed = [quantile.queries_needed(p, 1 - tail) for p in self.percentiles]
        return max(seconds, min(self.budget_s, _ROOM * max(needed, default=0) / rate))

    def _undisturbed(self, run_once: Callable[[], LoadRun]) -> LoadRun:
        """The first of a few runs whose generator kept up, or the last where none did."""
        spoilt: list[str] = []
        while (run := run_once()).doubt and len(spoilt) < _REPEATS:
            spoilt.append(run.doubt)
        return replace(run, spoilt=tuple(spoilt))

    def _run(self, traffic: Callable[[], Traffic]) -> LoadRun:
        with watched(self.server) as watch:
            seen = traffic()
        run = LoadRun(seen, watch.usage)
        if not run.answered:
            statuses = Counter(reply.error or reply.status for reply in run.replies)
            raise WorkerError(
                f"the server answered none of {len(run.replies)} requests: "
                + ", ".join(f"{count} x {status}" for status, count in statuses.items())
            )
        return run

    def _highest_rate(self, load: Server) -> tuple[Found, LoadRun]:
        """A rate of 0 where none keeps the limit, and the last run that was tried.

        What breaks the limit with nobody waiting keeps it at no rate, and is not tried.
        """
        run = self._run(lambda: generators.streams(self.target, 60.0, requests=_LEAST_REQUESTS))
        first = _FIRST_RATE / run.service_mean_s
        if not self._keeps(load, run):
            return Found(0.0, first, {}), run
        seeds = iter(range(self.seed, self.seed + 1000))

        def sustained(rate: float) -> bool:
            nonlocal run
            run = self._at_rate(rate, load.trial_lasts_s, next(seeds))
            return self._keeps(load, run)

        return highest_rate(sustained, first, load.precision), run

    def _at_highest_rate(self, load: Server, seconds: float) -> UnderLoad:
        found, run = self._confirmed_rate(load, seconds)
        doubt = ""
        if found.rate and not self._keeps(load, run):
            doubt = f"at {found.rate:.3g} requests/s it did not keep the {load.limit} for so long"
        return self._result(load, run, found, doubt)

    def _confirmed_rate(self, load: Server, seconds: float) -> tuple[Found, LoadRun]:
        """The highest rate for so long, or a lower one when it does not keep; the last if none."""
        found, run = self._highest_rate(load)
        if not found.rate:
            return found, run
        for attempt in range(_CONFIRMATIONS):
            if attempt:
                found = Found(found.rate * _STEP_DOWN, found.rate, found.trials)
            lasts_s, seed = self._lasts_s(seconds, found.rate), self.seed - 1 - attempt
            run = self._undisturbed(partial(self._at_rate, found.rate, lasts_s, seed))
            if self._keeps(load, run):
                break
        return found, run

    def _at_rate(self, rate: float, seconds: float, seed: int) -> LoadRun:
        """For so long, or a little longer where the rate is slow."""
        lasts_s = min(max(seconds, _LEAST_REQUESTS / rate), _LONGEST * seconds)
        self.report_progress(f"at {rate:.3g} requests/s")
        return self._run(lambda: generators.open_loop(self.target, rate, lasts_s, seed))

    def _keeps(self, load: Server, run: LoadRun) -> bool:
        latencies = [reply.latency_s for reply in run.answered]
        under = quantile.percentile(latencies, load.percentile) <= load.limit_s
        return under and not run.errors

    def _result(
        self, load: Load, run: LoadRun, found: Found | None = None, doubt: str = ""
    ) -> UnderLoad:
        doubt = doubt or run.doubt
        named = dict(self._measures(run, found))
        measured = Measured(
            {at(name, load.name): measure for name, measure in named.items()},
            confidence=self.confidence,
            seconds=run.seconds,
            doubt=doubt,
        )
        return UnderLoad(measured, _evidence(run, found, doubt))

    def _measures(self, run: LoadRun, found: Found | None) -> Iterator[tuple[str, Measure]]:
        latencies = [reply.latency_s for reply in run.kept]
        n = len(latencies)
        confidence, seed = self.confidence, self.seed
        mean_bounds = bootstrap.mean(latencies, confidence, seed)
        yield "latency_mean", Measure(fmean(latencies), "s", *mean_bounds, n)
        yield "latency_min", Measure(min(latencies), "s", n=n)
        yield "latency_max", Measure(max(latencies), "s", n=n)
        for name in REPORTED_PERCENTILES:
            p = percentile_of(name)
            bounds = bootstrap.percentile(latencies, p, confidence, seed)
            yield name, Measure(quantile.percentile(latencies, p), "s", *bounds, n)
        rate = self._rate(run)
        yield "throughput", _times(rate, run.traffic.samples, "samples/s")
        yield "requests_per_hour", _times(rate, 3600, "requests/h")
        yield "error_rate", Measure(run.error_rate, "fraction", n=len(run.replies))
        windows = run.windows
        bounds = bootstrap.mean(windows, confidence, seed) if len(windows) > 1 else (None, None)
        yield "cpu_usage", Measure(run.cores, "cores", *bounds, max(1, len(windows)))
        yield "peak_memory", Measure(run.usage.peak_memory_bytes, "bytes")
        if growth := run.usage.memory_growth(confidence):
            slope, low, high = (number / 1e6 for number in growth)
            yield "memory_growth", Measure(slope, "MB/h", low, high, len(run.usage.samples))
        if energy := run.usage.energy:
            name = "estimated_energy_per_request" if energy.estimated else "energy_per_request"
            yield name, Measure(energy.joules / len(run.answered), "J", n=len(run.answered))
        if self.usd_per_hour is not None:
            yield "cost_per_million", cost_per_million(_times(rate, 1, ""), self.usd_per_hour)
        if found:
            bounds = found.rate, found.beyond
            yield "highest_rate", Measure(found.rate, "requests/s", *bounds, n)

    def _rate(self, run: LoadRun) -> Measure:
        """Answers a second, from the first request to the last response."""
        whole = max(1, min(_MOST_PARTS, int(run.seconds / _PART_S)))
        edge = run.seconds / whole
        counts = Counter(
            min(whole - 1, int((reply.done_s - run.first_sent_s) / edge)) for reply in run.answered
        )
        rates = [counts[i] / edge for i in range(whole)]
        bounds = bootstrap.mean(rates, self.confidence, self.seed) if whole > 1 else (None, None)
        return Measure(len(run.answered) / run.seconds, "requests/s", *bounds, len(run.answered))


def _evidence(run: LoadRun, found: Found | None, doubt: str) -> LoadEvidence:
    failed = Counter(r.error or f"HTTP {r.status}" for r in run.replies if not r.ok)
    (first, end), windows = run.steady, run.windows
    trials = found.trials if found else {}
    return LoadEvidence(
        requests=len(run.replies),
        answered=len(run.answered),
        errors=dict(failed),
        dropped=run.traffic.dropped,
        seconds=run.seconds,
        timeline=timeline(run.replies, run.usage, run.first_sent_s, run.last_done_s),
        steady=SteadyPart(first, end, len(run.answered)),
        service_mean_s=fmean(reply.service_s for reply in run.kept),
        generator_busy=[generator.busy for generator in run.traffic.generators],
        generator_lag_p99_s=run.lag_p99_s,
        cpu_usage_by_window=CpuWindows(
            WINDOW_S, fmean(windows) if windows else None, max(windows, default=None)
        ),
        energy_source=run.usage.energy.source if run.usage.energy else None,
        died_workers=run.usage.died,
        trials={f"{rate:.6g}": sustained for rate, sustained in trials.items()},
        doubt=doubt,
        spoilt_runs=list(run.spoilt),
    )


def _times(measure: Measure, factor: float, unit: str) -> Measure:
    low, high = (None if b is None else b * factor for b in (measure.low, measure.high))
    return replace(measure, value=measure.value * factor, unit=unit, low=low, high=high)
