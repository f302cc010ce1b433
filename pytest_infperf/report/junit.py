"""What a test measured and judged, as properties of its test case in JUnit's file."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_infperf.records.record import Record


def properties(record: Record, before: Record) -> Iterator[tuple[str, str]]:
    """Yield name and value of what a variant's record holds and did not hold before the test."""
    for name, measure in record.measures.items():
        if measure != before.measures.get(name):
            yield f"infperf.{name}", f"{measure.value:.9g} {measure.unit}"
            if measure.low is not None or measure.high is not None:
                interval = f"{_bound(measure.low)} {_bound(measure.high)}"
                yield f"infperf.{name}.interval", interval
    for gate in record.gates:
        if gate not in before.gates:
            yield f"infperf.gate.{gate.measure}", f"{gate.verdict}: {gate.limit}"


def _bound(value: float | None) -> str:
    return "none" if value is None else f"{value:.9g}"
