"""Latencies in pytest-benchmark's table and files, through its fixture and a replaying clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, Protocol

_FIXTURE = "benchmark"


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
        # The clock starts at 0 for each time, because a long sum would lose digits.
        self._now = next(self._times, 0.0)

    def reset(self) -> None:
        """Set the clock to 0."""
        self._now = 0.0


@contextmanager
def announced(tests: Iterable[Any]) -> Iterator[None]:
    """Mark tests that measure latency as benchmarks while plugins select and deselect tests.

    Afterwards the mark is removed, because the fixture is created when latency is measured.
    Otherwise a test that fails earlier would be reported for not using its fixture.
    """
    added = []
    for names in (test.fixturenames for test in tests):
        if _FIXTURE not in names:  # the list is common to all parameters of a test
            names.append(_FIXTURE)
            added.append(names)
    try:
        yield
    finally:
        for names in added:
            names.remove(_FIXTURE)


def excuse_unused(test: Any) -> None:
    """Suppress the warning about an unused fixture for a test that failed before using it."""
    if fixture := getattr(test, "funcargs", {}).get(_FIXTURE):
        fixture.skipped = True


def saves(config: Any) -> bool:
    """Return whether pytest-benchmark will save this run in a folder, not in Elasticsearch."""
    if str(config.getoption("benchmark_storage", None)).startswith("elasticsearch+"):
        return False
    return any(config.getoption(f"benchmark_{name}", None) for name in ("save", "autosave"))


def add_records(
    benchmarks: Sequence[Any],
    document: Mapping[str, Any],
    record_of: Callable[[str, Any], dict[str, Any] | None],
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
        Returns the record of a test, in JSON's types, from the name of its row and its parameter
        `variant`; None for other tests.
    """
    params = {benchmark.fullname: benchmark.params or {} for benchmark in benchmarks}
    for entry in document["benchmarks"]:
        name = entry["fullname"]
        variant = params.get(name, {}).get("variant")
        record = record_of(name, variant)
        if record is not None:
            entry["extra_info"].update(record)
        if record is not None and variant is not None:
            # The rows of one test share their parameters.
            entry["params"] = {**entry["params"], "variant": record["variant"]}


class FixtureRequest(Protocol):
    """The part of pytest's fixture request that is used here."""

    @property
    def node(self) -> Any: ...

    def getfixturevalue(self, argname: str) -> Any: ...


class BenchmarkTable:
    """Shows the latencies of one test in pytest-benchmark's table, if it is available.

    Parameters
    ----------
    request : FixtureRequest
        The request of the test's `variant`.
    group : str
        The group of the rows, unless the test's marker `benchmark` sets one.
    available : bool
        Whether pytest-benchmark is active.
    """

    def __init__(self, request: FixtureRequest, group: str, available: bool) -> None:
        self._request = request
        self._group = group
        self._available = available
        self._fixture: Any = None
        self._rows = 0

    def expect(self) -> None:
        """Request pytest-benchmark's fixture before the measurement."""
        if not self._available or self._fixture:
            return
        from pytest_benchmark.fixture import BenchmarkFixture

        fixture = self._request.getfixturevalue(_FIXTURE)
        # pytest-codspeed's fixture, which runs code itself, claims to be an instance.
        if not issubclass(type(fixture), BenchmarkFixture):
            return
        self._fixture = fixture
        if _FIXTURE in self._request.node.fixturenames:
            self._rows = 1  # the test's own
        else:
            fixture.skipped = True  # silences the warning that the fixture was not used

    def show(self, times_s: Sequence[float]) -> None:
        """Add the times of single queries to the table, in seconds.

        The names of further rows of a test end with a number.
        """
        if not self._fixture:
            return
        # A copy, because a fixture can be used only once, and the test may use its own.
        row = copy(self._fixture)
        replay = Replay()
        self._rows += 1
        number = f"#{self._rows}" if self._rows > 1 else ""
        vars(row).update(
            name=f"{row.name}{number}",
            fullname=f"{row.fullname}{number}",
            group=row.group or self._group,
            _mode=None,
            _timer=replay.clock,
        )
        replay.load(times_s)
        row.pedantic(replay.tick, setup=replay.reset, rounds=len(times_s))
