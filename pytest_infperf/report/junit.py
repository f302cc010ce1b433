"""Measures and verdicts of a test, as properties of its case in a JUnit file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
"""A record in JSON's types."""


def properties(record: Document, record_before: Document) -> Iterator[tuple[str, str]]:
    """Yield the name and value of each measure and verdict that a test added to a record.

    Parameters
    ----------
    record
        The variant's record after the test.
    record_before
        The same record before the test; an empty mapping before the variant's first test.
    """
    for name, measure in record["measures"].items():
        if measure != record_before.get("measures", {}).get(name):
            yield f"infperf.{name}", f"{measure['value']:.9g} {measure['unit']}"
            if measure["low"] is not None or measure["high"] is not None:
                low, high = (_bound(measure[side]) for side in ("low", "high"))
                yield f"infperf.{name}.interval", f"{low} {high}"
    gates_before = record_before.get("gates", ())
    for gate in record["gates"]:
        if gate not in gates_before:
            yield f"infperf.gate.{gate['measure']}", f"{gate['verdict']}: {gate['limit']}"


def _bound(value: float | None) -> str:
    return "none" if value is None else f"{value:.9g}"
