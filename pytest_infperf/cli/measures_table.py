"""The table of measures with their intervals that commands print."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import base_of
from pytest_infperf.records.quantity import format_value


def measures_table(measures: Mapping[str, Measure], confidence: float) -> Table:
    """Return a table with a row for each measure, without the names of points."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column(f"{100 * confidence:g} % interval")
    for name, measure in measures.items():
        table.add_row(base_of(name), format_value(measure.value, measure.unit), _interval(measure))
    return table


def _interval(measure: Measure) -> str:
    low, high = (
        None if bound is None else format_value(bound, measure.unit)
        for bound in (measure.low, measure.high)
    )
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else ""
