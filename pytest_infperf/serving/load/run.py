"""One run of a load on a server: what was sent and answered, and what the server used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median

from pytest_infperf.serving.load.traffic import Reply, Traffic
from pytest_infperf.serving.load.usage import Usage
from pytest_infperf.stats import quantile
from pytest_infperf.stats.steady import steady

_BUSY = 0.9
"""Of its core: a generator beyond it may be what is measured."""


_LAG_SHARE = 0.1


_LAG_S = 0.002
"""A generator lagged if the 99th percentile of its lag is over a tenth of the median latency, and
over this."""


@dataclass(frozen=True)
class LoadRun:
    """Load was put on a server once."""

    traffic: Traffic
    usage: Usage
    spoilt: tuple[str, ...] = ()
    """What was wrong with the generator in runs before, which this one takes the place of."""

    @property
    def replies(self) -> Sequence[Reply]:
        return self.traffic.replies

    @cached_property
    def answered(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.ok]

    @cached_property
    def first_sent_s(self) -> float:
        return min(reply.sent_s for reply in self.replies)

    @cached_property
    def last_done_s(self) -> float:
        return max(reply.done_s for reply in self.replies)

    @cached_property
    def steady(self) -> tuple[int, int]:
        """The first of the answers that count for latency, and the one after the last."""
        return steady([reply.latency_s for reply in self.answered])

    @property
    def kept(self) -> Sequence[Reply]:
        begin, end = self.steady
        return self.answered[begin:end]

    @cached_property
    def windows(self) -> list[float]:
        """Cores in use, a window each."""
        return self.usage.cores_by_window(self.first_sent_s, self.last_done_s)

    @property
    def cores(self) -> float:
        return self.usage.cores_by_event(self.first_sent_s, self.last_done_s)

    @cached_property
    def lag_p99_s(self) -> float:
        return quantile.percentile([reply.lag_s for reply in self.replies], 0.99)

    @property
    def service_mean_s(self) -> float:
        """Of all answers, those of the warm-up too: what a load that follows is sized by."""
        return fmean(reply.service_s for reply in self.answered)

    @property
    def seconds(self) -> float:
        return self.last_done_s - self.first_sent_s

    @property
    def errors(self) -> int:
        return len(self.replies) - len(self.answered) + self.traffic.dropped

    @property
    def error_rate(self) -> float:
        return self.errors / (len(self.replies) + self.traffic.dropped)

    @cached_property
    def doubt(self) -> str:
        """Why the generator may be what was measured; empty when it was not."""
        busiest = max(generator.busy for generator in self.traffic.generators)
        if busiest > _BUSY:
            return f"the load generator was busy for {busiest:.0%} of its core"
        if latencies := [reply.latency_s for reply in self.answered]:
            lag_s = self.lag_p99_s
            if lag_s > max(_LAG_S, _LAG_SHARE * median(latencies)):
                return f"the load generator was late by {1e3 * lag_s:.3g} ms (99th percentile)"
        return ""
