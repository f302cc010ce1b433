"""A run of another load generator: its requests, and their measures at a load."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_infperf.measure.throughput import rate
from pytest_infperf.measure.times import time_measures
from pytest_infperf.measure.tokens import TokenTimes
from pytest_infperf.records.catalogue import times_of
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import at, base_of
from pytest_infperf.stats.proportion import clopper_pearson

_PARTS = 20
"""Number of parts of a run whose rates give the interval of the whole run's rate."""
_NO_TIMES = "the file has no start times of requests, which give the interval of a rate"


@dataclass(frozen=True)
class ServedRequest:
    """A request that was answered."""

    latency_s: float
    """Time from sending the request to the end of the response, in seconds."""
    prompt_tokens: int
    output_tokens: int
    first_token_s: float | None = None
    """Time to the first token, in seconds; None if the response was not streamed."""
    gaps_s: Sequence[float] = ()
    """Times between successive tokens, in seconds; empty if they are not known."""
    start_s: float | None = None
    """Start, in seconds by any clock; None if it is not known."""

    @property
    def is_timed(self) -> bool:
        """Whether its times are finite and, except gaps, above 0."""
        first_s = self.latency_s if self.first_token_s is None else self.first_token_s
        times = (self.latency_s, first_s, *self.gaps_s, self.start_s or 0.0)
        return all(map(math.isfinite, times)) and min(self.latency_s, first_s) > 0


@dataclass(frozen=True)
class ServedRun:
    """The requests of a run at one load."""

    tool: str
    """The load generator."""
    load: str
    """The name of the load, such as `users=16`."""
    model: str
    """The name of the model; empty if it is not known."""
    requests: Sequence[ServedRequest]
    """The answered requests."""
    failed: int
    """The number of requests without a response, or with an error."""

    def measured(self, percentiles: Iterable[str], confidence: float) -> Measured:
        """Return the measures at the load.

        Parameters
        ----------
        percentiles : iterable of str
            Measures such as `ttft_p75@users=16`, in addition to those that are always reported.
        confidence : float
            The confidence of intervals.
        """
        by_start = sorted(self.requests, key=lambda r: r.start_s or 0.0)
        latencies = [request.latency_s for request in by_start]
        tokens = TokenTimes()
        for request in by_start:
            tokens.add_query(
                request.latency_s,
                request.prompt_tokens,
                request.output_tokens,
                request.first_token_s,
                request.gaps_s,
            )
        asked = [base_of(name) for name in percentiles]
        of_latency = [name for name in asked if times_of(name) == "latency"]
        of_tokens = tokens.measured(asked, confidence)
        rates = self._rates(confidence)
        measures = {
            **time_measures(latencies, of_latency, confidence),
            **of_tokens.measures,
            **rates.measures,
            "error_rate": self._error_rate(confidence),
        }
        missing = {**of_tokens.missing, **rates.missing}
        return replace(
            of_tokens,
            measures={at(name, self.load): value for name, value in measures.items()},
            missing={at(name, self.load): reason for name, reason in missing.items()},
            times_s=latencies,
            confidence=confidence,
        )

    def _error_rate(self, confidence: float) -> Measure:
        n = len(self.requests) + self.failed
        bounds = clopper_pearson(self.failed, n, confidence)
        return Measure(self.failed / n, "fraction", *bounds, n)

    def _rates(self, confidence: float) -> Measured:
        """Return requests and output tokens per second, with intervals from parts of the run."""
        names = ("throughput", "requests_per_hour", "token_throughput")
        starts = [request.start_s for request in self.requests if request.start_s is not None]
        if len(starts) < len(self.requests):
            return Measured(missing=dict.fromkeys(names, _NO_TIMES))
        ends = [s + r.latency_s for s, r in zip(starts, self.requests, strict=True)]
        begin, seconds = min(starts), max(ends) - min(starts)
        counts, tokens = [0.0] * _PARTS, [0.0] * _PARTS
        for end, request in zip(ends, self.requests, strict=True):
            part = min(_PARTS - 1, int(_PARTS * (end - begin) / seconds))
            counts[part] += 1
            tokens[part] += request.output_tokens
        parts_s, n = [seconds / _PARTS] * _PARTS, len(self.requests)
        samples = rate(counts, parts_s, confidence, n)
        low, high = (
            None if bound is None else 3600 * bound for bound in (samples.low, samples.high)
        )
        hourly = Measure(3600 * samples.value, "requests/h", low, high, n)
        measures = {"throughput": samples, "requests_per_hour": hourly}
        if not any(tokens):
            return Measured(measures, missing={"token_throughput": "no token was counted"})
        n_tokens = int(sum(tokens))
        measures["token_throughput"] = rate(tokens, parts_s, confidence, n_tokens, "tokens/s")
        return Measured(measures)
