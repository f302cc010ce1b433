"""Measures and verdicts of a test, as properties of its test case in the JUnit file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord

PREFIX = "infperf."
"""Prefix of the names of all properties."""


def properties(
    measures: Mapping[str, Measure], gates: Sequence[GateRecord]
) -> Iterator[tuple[str, str]]:
    """Yield name and value of each measure and each verdict of a test."""
    for name, measure in measures.items():
        yield f"{PREFIX}{name}", f"{measure.value:.9g} {measure.unit}"
        if measure.low is not None or measure.high is not None:
            interval = f"{_bound(measure.low)} {_bound(measure.high)}"
            yield f"{PREFIX}{name}.interval", interval
    for gate in gates:
        tries = f", at try {gate.tries}" if gate.tries > 1 else ""
        rule = gate.limit.partition(" ")[0]
        yield f"{PREFIX}gate.{gate.measure}.{rule}", f"{gate.verdict}: {gate.limit}{tries}"


def _bound(value: float | None) -> str:
    return "none" if value is None else f"{value:.9g}"
