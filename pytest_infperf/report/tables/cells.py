"""Cells of the result tables: functions that make a cell from the record of a variant.

A cell has a head, the value of its column, and a tail, such as an interval or the difference to the
baseline. Heads and tails are aligned separately.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record, Verdict


class Cell(NamedTuple):
    head: str
    tail: str = ""


MakeCell = Callable[[Record], Cell]

EMPTY = Cell("-")
VERDICT_WORDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "FAIL",
    Verdict.XFAILED: "xfailed",
    Verdict.INCONCLUSIVE: "inconclusive",
}
ERROR_WORD = "error"
SKIPPED_WORD = "skipped"
RATE_UNIT = "samples/s"
TOKEN_RATE_UNIT = "tokens/s"


def variant(record: Record) -> Cell:
    return Cell(record.variant, "(baseline)" if is_baseline(record) else "")


def variant_with_star(record: Record) -> Cell:
    return Cell(record.variant, "*" if is_baseline(record) else "")


def threads(record: Record) -> Cell:
    count = record.settings.threads
    return EMPTY if count is None else Cell(str(count))


def value_of(measure: str) -> MakeCell:
    """Return a function that makes a cell of a measure's value."""

    def make_cell(record: Record) -> Cell:
        found = record.measures.get(measure)
        return Cell(format_value(found.value, found.unit)) if found else EMPTY

    return make_cell


def without_rate_unit(measure: str) -> MakeCell:
    """Return a function like `value_of` that omits the unit of samples or tokens per second.

    The header of such a column names that unit. Other units stay.
    """

    def make_cell(record: Record) -> Cell:
        head = value_of(measure)(record).head
        return Cell(head.removesuffix(f" {RATE_UNIT}").removesuffix(f" {TOKEN_RATE_UNIT}"))

    return make_cell


throughput = without_rate_unit("throughput")


def cost(record: Record) -> Cell:
    """Return the cost of a million requests without the currency, which is in the header."""
    return Cell(value_of("cost_per_million")(record).head.removesuffix(" USD"))


def speedup(record: Record) -> Cell:
    speedup = record.measures.get("speedup")
    if speedup is None:
        return _without_speedup(record)
    return Cell(format_value(speedup.value, speedup.unit), _interval(speedup, _bare_ratio))


def regression(record: Record) -> Cell:
    """Return the relative increase in query time since the other revision; negative is faster."""
    regression = record.measures.get("regression")
    if regression is None:
        return EMPTY
    return Cell(_signed(regression.value, regression.unit), _interval(regression, _bare_percent))


def quality(metric: str) -> MakeCell:
    """Return a function that makes a cell of a quality and its difference to the baseline."""

    def make_cell(record: Record) -> Cell:
        found = record.measures.get(metric)
        if found is None:
            return EMPTY
        difference = _difference(record, metric)
        tail = "" if difference is None else f"({_signed(difference, found.unit)})"
        return Cell(format_value(found.value, found.unit), tail)

    return make_cell


def quality_change(metric: str) -> MakeCell:
    """Return a function that makes a cell of the change of a quality since the other revision."""

    def make_cell(record: Record) -> Cell:
        against = record.evidence.against
        change = (against.changes or {}).get(metric) if against else None
        return EMPTY if change is None else Cell(_signed(change.value, change.unit))

    return make_cell


def verdict(record: Record) -> Cell:
    """Return the worst verdict of the gates, or whether there were errors or a reason to skip."""
    verdicts = {gate.verdict for gate in record.gates}
    if Verdict.FAIL in verdicts:
        return Cell(VERDICT_WORDS[Verdict.FAIL])
    if record.errors:
        return Cell(ERROR_WORD)
    if record.evidence.skipped:
        return Cell(SKIPPED_WORD)
    for worst in (Verdict.INCONCLUSIVE, Verdict.XFAILED, Verdict.PASS):
        if worst in verdicts:
            return Cell(VERDICT_WORDS[worst])
    return EMPTY


def short_verdict(record: Record) -> Cell:
    cell = verdict(record)
    return Cell("inconcl.") if cell.head == VERDICT_WORDS[Verdict.INCONCLUSIVE] else cell


def is_baseline(record: Record) -> bool:
    return record.settings.baseline is True or record.settings.baseline_id == record.variant


def _without_speedup(record: Record) -> Cell:
    """Return 1 for the baseline once its latency was measured, and an empty cell otherwise."""
    measured = is_baseline(record) and "latency_p50" in record.measures
    return Cell(format_value(1.0, "ratio")) if measured else EMPTY


def _interval(measure: Measure, bare: Callable[[float | None], str]) -> str:
    if measure.low is None and measure.high is None:
        return ""
    return f"[{bare(measure.low)}, {bare(measure.high)}]"


def _signed(value: float, unit: str) -> str:
    return f"{'+' if value >= 0 else ''}{format_value(value, unit)}"


def _bare_ratio(value: float | None) -> str:
    return "?" if value is None else format_value(value, "ratio").removesuffix("x")


def _bare_percent(value: float | None) -> str:
    return "?" if value is None else format_value(value, "fraction").removesuffix(" %")


def _difference(record: Record, metric: str) -> float | None:
    """Return variant minus baseline; None for the baseline, whose difference is always 0."""
    if is_baseline(record):
        return None
    difference = (record.evidence.differences or {}).get(metric)
    return difference.value if difference else None
