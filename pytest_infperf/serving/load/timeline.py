"""A run under load from window to window: what changed, the load or the host it ran on.

Processor time a request takes does not grow with the queue before it: where it grows, the host
was slower (its clock, its neighbours), and what was late or refused then is no fault of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from statistics import median

from pytest_infperf.records.evidence import LoadWindow
from pytest_infperf.serving.load.traffic import Reply
from pytest_infperf.serving.load.usage import Usage
from pytest_infperf.stats import quantile

_LEAST_S = 5.0
_MOST = 60
_SLOWER = 1.25


def timeline(
    replies: Sequence[Reply], usage: Usage, first_s: float, last_s: float
) -> list[LoadWindow]:
    """At most sixty windows of at least 5 s, none of a run that is shorter than two.

    A request belongs to the window in which it was done. `first_s` and `last_s` are of the
    monotonic clock, as the replies are.
    """
    count = min(_MOST, int((last_s - first_s) / _LEAST_S))
    if count < 2:
        return []
    seconds = (last_s - first_s) / count
    done: list[list[Reply]] = [[] for _ in range(count)]
    for reply in replies:
        done[min(count - 1, int((reply.done_s - first_s) / seconds))].append(reply)
    windows = [_window(its, usage, first_s, i * seconds, seconds) for i, its in enumerate(done)]
    times = [w.cpu_s_per_answer for w in windows if w.cpu_s_per_answer is not None]
    limit_s = _SLOWER * median(times) if times else inf
    return [replace(w, slow_host=(w.cpu_s_per_answer or 0.0) > limit_s) for w in windows]


def _window(
    its: Sequence[Reply], usage: Usage, first_s: float, begin_s: float, seconds: float
) -> LoadWindow:
    latencies = [reply.latency_s for reply in its if reply.ok]
    cpu_s = usage.cpu_between(first_s + begin_s, first_s + begin_s + seconds)
    return LoadWindow(
        begin_s=begin_s,
        seconds=seconds,
        answered=len(latencies),
        errors=len(its) - len(latencies),
        latency_p99_s=quantile.percentile(latencies, 0.99) if latencies else None,
        cpu_s_per_answer=cpu_s / len(latencies) if latencies else None,
    )
