"""Latencies in pytest-benchmark's table and files, through its fixture and a replaying clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Replay:
    """A clock for pytest-benchmark that passes on seconds which were measured elsewhere."""

    def __init__(self) -> None:
        self._now = 0.0
        self._times: Iterator[float] = iter(())

    def clock(self) -> float:
        return self._now

    def load(self, times_s: Sequence[float]) -> None:
        self._times = iter(times_s)

    def tick(self) -> None:
        # Started anew each time, or small times would drown in the digits of a long total.
        self._now = next(self._times, 0.0)

    def reset(self) -> None:
        self._now = 0.0


def announce(test: Any) -> None:
    """Tell pytest-benchmark, when it selects tests, that this one will use its fixture."""
    function = getattr(test, "function", None)
    calls = getattr(getattr(function, "__code__", None), "co_names", ())
    if "latency" in calls and "benchmark" not in test.fixturenames:
        test.fixturenames.append("benchmark")


def saves(config: Any) -> bool:
    """Whether pytest-benchmark will save this run in its storage."""
    return any(config.getoption(f"benchmark_{name}", None) for name in ("save", "autosave"))


class FixtureRequest(Protocol):
    """The part of pytest's that is used here."""

    def getfixturevalue(self, argname: str) -> Any: ...


class BenchmarkTable:
    """Shows a test's latencies; without pytest-benchmark it shows nothing."""

    def __init__(self, request: FixtureRequest, replay: Replay, available: bool) -> None:
        self._request = request
        self._replay = replay
        self._available = available
        self.extra_info: dict[str, Any] = {}

    def expect(self) -> None:
        if self._available:
            self._fixture = self._request.getfixturevalue("benchmark")
            self._fixture.extra_info = self.extra_info

    def show(self, times_s: Sequence[float]) -> None:
        if self._available:
            self._replay.load(times_s)
            self._fixture.pedantic(self._replay.tick, setup=self._replay.reset, rounds=len(times_s))
