"""What a test measured and judged, as properties of its case in JUnit's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def properties(record: Document, before: Document) -> Iterator[tuple[str, str]]:
    """Name and value of what a variant's record holds now and did not hold before the test."""
    for name, measure in record["measures"].items():
        if measure != before.get("measures", {}).get(name):
            yield f"infperf.{name}", f"{measure['value']:.9g} {measure['unit']}"
            if measure["low"] is not None or measure["high"] is not None:
                low, high = (_bound(measure[side]) for side in ("low", "high"))
                yield f"infperf.{name}.interval", f"{low} {high}"
    known = before.get("gates", ())
    for gate in record["gates"]:
        if gate not in known:
            yield f"infperf.gate.{gate['measure']}", f"{gate['verdict']}: {gate['limit']}"


def _bound(value: float | None) -> str:
    return "none" if value is None else f"{value:.9g}"
