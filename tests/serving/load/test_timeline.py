"""Simulated runs under load, in windows."""

from __future__ import annotations

import pytest

from pytest_infperf.serving.load.timeline import timeline
from pytest_infperf.serving.load.traffic import Reply
from pytest_infperf.serving.load.usage import Usage, UsageSample


def replies(seconds: int, refused_from_s: float = float("inf")) -> list[Reply]:
    """Return ten replies a second, of 20 ms each."""
    moments = [i / 10 for i in range(10 * seconds)]
    return [Reply(t, t, t + 0.02, 429 if t >= refused_from_s else 200) for t in moments]


def usage(seconds: int, *, twice_from_s: float = float("inf")) -> Usage:
    """Return half a core of usage, and a whole core after `twice_from_s`."""
    samples, cpu_s = [UsageSample(0.0, 0.0, 10**8)], 0.0
    for i in range(1, 10 * seconds + 2):
        cpu_s += 0.05 if i / 10 <= twice_from_s else 0.1
        samples.append(UsageSample(i / 10, cpu_s, 10**8))
    return Usage(samples)


def test_windows_divide_the_run_and_its_requests() -> None:
    windows = timeline(replies(30), usage(30), 0.0, 30.0)
    assert [window.begin_s for window in windows] == [0, 5, 10, 15, 20, 25]
    assert sum(window.answered for window in windows) == 300
    for window in windows:
        assert window.seconds == 5
        assert window.latency_p99_s == pytest.approx(0.02)
        assert window.cpu_s_per_answer == pytest.approx(0.05, rel=0.03)
        assert not window.slow_host


def test_an_hour_has_sixty_windows_and_a_short_run_none() -> None:
    assert len(timeline(replies(3600), usage(3600), 0.0, 3600.0)) == 60
    assert timeline(replies(9), usage(9), 0.0, 9.0) == []


def test_the_windows_of_a_slow_host_are_marked() -> None:
    windows = timeline(replies(40, refused_from_s=37), usage(40, twice_from_s=30), 0.0, 40.0)
    assert [window.slow_host for window in windows] == [False] * 6 + [True] * 2
    assert [window.errors for window in windows] == [0] * 7 + [30]


def test_a_window_without_an_answer_has_no_times() -> None:
    windows = timeline(replies(20, refused_from_s=15), usage(20), 0.0, 20.0)
    assert windows[3].errors == 50
    assert (windows[3].latency_p99_s, windows[3].cpu_s_per_answer) == (None, None)
    assert not windows[3].slow_host
