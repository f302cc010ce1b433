"""One run of a load on a server: the traffic, and the server's usage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median

from pytest_infperf import errors
from pytest_infperf.errors import WorkerError
from pytest_infperf.measure.tokens import TokenTimes
from pytest_infperf.serving.load.tokens import token_times, why_uncounted, why_unknown
from pytest_infperf.serving.load.traffic import Reply, Traffic
from pytest_infperf.serving.load.usage import Usage
from pytest_infperf.stats import quantile
from pytest_infperf.stats.steady import steady

__tracebackhide__ = errors.meant_for_the_user

_MAX_BUSY = 0.9
"""Fraction of its core above which a generator may be the bottleneck."""
_MAX_LAG_SHARE = 0.1
_MAX_LAG_S = 0.002
"""A generator was late if the 99th percentile of its lag exceeds both this, in seconds, and
`_MAX_LAG_SHARE` of the median time to the response or to its first token."""


@dataclass(frozen=True)
class LoadRun:
    """One run of a load."""

    traffic: Traffic
    usage: Usage
    discarded_runs: tuple[str, ...] = ()
    """Reasons why earlier runs were discarded: their generator was late or busy."""
    of_study: bool = False
    """Whether all answers count, including the first ones, as in the procedure of a study."""
    streams: bool = False
    """Whether the requests asked for streamed responses."""
    whole_because: str = ""
    """Why they did not, if the model generates tokens; empty otherwise."""

    @property
    def replies(self) -> Sequence[Reply]:
        """All requests that were sent."""
        return self.traffic.replies

    @cached_property
    def answered(self) -> list[Reply]:
        """Requests that were answered with 2xx."""
        return [reply for reply in self.replies if reply.ok]

    @cached_property
    def first_sent_s(self) -> float:
        """Send time of the first request, in seconds of the monotonic clock."""
        return min(reply.sent_s for reply in self.replies)

    @cached_property
    def last_done_s(self) -> float:
        """End of the last request, in seconds of the monotonic clock."""
        return max(reply.done_s for reply in self.replies)

    @property
    def seconds(self) -> float:
        """Time from the first request to the last response, in seconds."""
        return self.last_done_s - self.first_sent_s

    @cached_property
    def steady_range(self) -> tuple[int, int]:
        """Slice of `answered` in the steady state, without warm-up and cool-down."""
        if self.of_study:
            return 0, len(self.answered)
        return steady([reply.latency_s for reply in self.answered])

    @property
    def steady_replies(self) -> Sequence[Reply]:
        """Answers in the steady state, from which latencies are taken."""
        begin, end = self.steady_range
        return self.answered[begin:end]

    @property
    def generates(self) -> bool:
        """Whether the model generates tokens."""
        return self.streams or bool(self.whole_because)

    @property
    def why_no_tokens(self) -> str:
        """Why the times of tokens are not known; empty if they are."""
        return why_unknown(self.answered, streams=self.streams, whole_because=self.whole_because)

    def times_of(self, kind: str) -> Sequence[float]:
        """Return the times of a kind, such as `latency` or `ttft`, of all answers, in seconds.

        Raises WorkerError if they are not known.
        """
        if kind == "latency":
            return [reply.latency_s for reply in self.answered]
        reason = self.why_no_tokens
        if not reason:
            if times_s := self._token_times.series.get(kind):
                return times_s
            reason = why_uncounted(self.answered) or self._token_times.why_missing
        raise WorkerError(f"a limit on {kind} cannot be judged: {reason}")

    @cached_property
    def _token_times(self) -> TokenTimes:
        return token_times(self.answered)

    def means_of(self, requests: int) -> list[float]:
        """Return the mean latency of each successive number of requests, in seconds.

        Failed requests are counted in the number but not in the mean. If all requests of a part
        failed, it has no mean.
        """
        parts = (self.replies[i : i + requests] for i in range(0, len(self.replies), requests))
        answered = ([reply.latency_s for reply in part if reply.ok] for part in parts)
        return [fmean(latencies) for latencies in answered if latencies]

    @property
    def cores(self) -> float:
        """Average CPU usage of the server, in cores."""
        return self.usage.cores_by_event(self.first_sent_s, self.last_done_s)

    @cached_property
    def cores_by_window(self) -> list[float]:
        """CPU usage of the server in each window of a second, in cores."""
        return self.usage.cores_by_window(self.first_sent_s, self.last_done_s)

    @property
    def service_mean_s(self) -> float:
        """Mean service time of all answers, warm-up included, in seconds.

        The duration or the first rate of the following load is derived from it.
        """
        return fmean(reply.service_s for reply in self.answered)

    @property
    def errors(self) -> int:
        """Number of requests that were not answered with 2xx, dropped ones included."""
        return len(self.replies) - len(self.answered) + self.traffic.dropped

    @property
    def error_rate(self) -> float:
        """Fraction of all requests that failed."""
        return self.errors / (len(self.replies) + self.traffic.dropped)

    @cached_property
    def lag_p99_s(self) -> float:
        """99th percentile of the generator's lag, in seconds."""
        return quantile.percentile([reply.lag_s for reply in self.replies], 0.99)

    @cached_property
    def doubt(self) -> str:
        """Reason why the generator may be the bottleneck; empty if there is none."""
        busiest = max(generator.busy for generator in self.traffic.generators)
        if busiest > _MAX_BUSY:
            return f"the load generator was busy for {busiest:.0%} of its core"
        responses_s = [
            reply.latency_s if reply.first_token_s is None else reply.first_token_s
            for reply in self.answered
        ]
        if responses_s:
            lag_s = self.lag_p99_s
            if lag_s > max(_MAX_LAG_S, _MAX_LAG_SHARE * median(responses_s)):
                return f"the load generator was late by {1e3 * lag_s:.3g} ms (99th percentile)"
        return ""
