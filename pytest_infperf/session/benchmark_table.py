"""Latencies in pytest-benchmark's table and files, through its fixture and a replaying clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol


class Replay:
    """A clock for pytest-benchmark that advances by the times that a worker measured."""

    def __init__(self) -> None:
        self._now = 0.0
        self._times: Iterator[float] = iter(())

    def clock(self) -> float:
        """Return the current time, in seconds."""
        return self._now

    def load(self, times_s: Sequence[float]) -> None:
        """Set the times that follow, in seconds."""
        self._times = iter(times_s)

    def tick(self) -> None:
        """Advance by the next time."""
        # The clock starts at 0 for each time, which would lose digits in a long sum.
        self._now = next(self._times, 0.0)

    def reset(self) -> None:
        """Set the clock to 0."""
        self._now = 0.0


def announce(test: Any) -> None:
    """Make pytest-benchmark treat the test as one that uses its fixture."""
    if "benchmark" not in test.fixturenames:
        test.fixturenames.append("benchmark")


def saves(config: Any) -> bool:
    """Return whether pytest-benchmark will save this run in its storage."""
    return any(config.getoption(f"benchmark_{name}", None) for name in ("save", "autosave"))


def add_records(
    benchmarks: Sequence[Any],
    document: Mapping[str, Any],
    record_of: Callable[[Any], dict[str, Any] | None],
) -> None:
    """Add the records of variants to the `extra_info` of pytest-benchmark's JSON document.

    The parameter `variant`, which JSON cannot represent, becomes the variant's id.

    Parameters
    ----------
    benchmarks : sequence of pytest_benchmark.stats.Metadata
        The benchmarks of the run.
    document : mapping
        The document that pytest-benchmark is about to write.
    record_of : callable
        Returns the record of a test's `variant` parameter, in JSON's types; None for other
        parameters.
    """
    params = {benchmark.fullname: benchmark.params or {} for benchmark in benchmarks}
    for entry in document["benchmarks"]:
        record = record_of(params.get(entry["fullname"], {}).get("variant"))
        if record is not None:
            entry["extra_info"].update(record)
            entry["params"]["variant"] = record["variant"]


class FixtureRequest(Protocol):
    """The part of pytest's fixture request that is used here."""

    def getfixturevalue(self, argname: str) -> Any: ...


class BenchmarkTable:
    """Shows the latencies of one test in pytest-benchmark's table, if it is available."""

    def __init__(self, request: FixtureRequest, replay: Replay, available: bool) -> None:
        self._request = request
        self._replay = replay
        self._available = available

    def expect(self) -> None:
        """Request pytest-benchmark's fixture, before anything is measured."""
        if self._available:
            self._fixture = self._request.getfixturevalue("benchmark")

    def show(self, times_s: Sequence[float]) -> None:
        """Add the times of single queries to the table, in seconds."""
        if self._available:
            self._replay.load(times_s)
            self._fixture.pedantic(self._replay.tick, setup=self._replay.reset, rounds=len(times_s))
