"""A run under load by windows, which shows whether a change came from the load or the host.

The CPU time of a request does not depend on the queue. Where it grows, the host was
slower (its clock, its neighbours), and late or refused requests are not the server's fault.
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

_MIN_WINDOW_S = 5.0
_MAX_WINDOWS = 60
_SLOW_RATIO = 1.25
"""Ratio of CPU time per answer to the median window's from which the host counts as slow."""


def timeline(
    replies: Sequence[Reply], usage: Usage, first_s: float, last_s: float
) -> list[LoadWindow]:
    """Return up to 60 windows of at least 5 s each, and none for a run of less than 10 s.

    A request belongs to the window in which it was done. `first_s` and `last_s`, the ends of the
    run, are seconds of the monotonic clock, as in the replies.
    """
    count = min(_MAX_WINDOWS, int((last_s - first_s) / _MIN_WINDOW_S))
    if count < 2:
        return []
    seconds = (last_s - first_s) / count
    by_window: list[list[Reply]] = [[] for _ in range(count)]
    for reply in replies:
        by_window[min(count - 1, int((reply.done_s - first_s) / seconds))].append(reply)
    windows = [
        _window(done, usage, first_s, i * seconds, seconds) for i, done in enumerate(by_window)
    ]
    times = [w.cpu_s_per_answer for w in windows if w.cpu_s_per_answer is not None]
    limit_s = _SLOW_RATIO * median(times) if times else inf
    return [replace(w, slow_host=(w.cpu_s_per_answer or 0.0) > limit_s) for w in windows]


def _window(
    replies: Sequence[Reply], usage: Usage, first_s: float, begin_s: float, seconds: float
) -> LoadWindow:
    latencies = [reply.latency_s for reply in replies if reply.ok]
    end_s = begin_s + seconds
    cpu_s = usage.cpu_between(first_s + begin_s, first_s + end_s) if usage.is_known else None
    return LoadWindow(
        begin_s=begin_s,
        seconds=seconds,
        answered=len(latencies),
        errors=len(replies) - len(latencies),
        latency_p99_s=quantile.percentile(latencies, 0.99) if latencies else None,
        cpu_s_per_answer=cpu_s / len(latencies) if latencies and cpu_s is not None else None,
    )
