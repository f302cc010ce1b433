"""What stands in the cells of the results table: each is a head and a tail, aligned apart.

The head is the number that a column is about, the tail what qualifies it: an interval, a
difference to the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record, Verdict

Cell = tuple[str, str]
Write = Callable[[Record], Cell]

NOTHING: Cell = ("-", "")
VERDICT_WORDS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "FAIL",
    Verdict.INCONCLUSIVE: "inconclusive",
}
ERROR_WORD = "error"
SKIPPED_WORD = "skipped"
RATE_UNIT = "samples/s"


def variant(record: Record) -> Cell:
    return record.variant, "(baseline)" if is_baseline(record) else ""


def variant_with_star(record: Record) -> Cell:
    return record.variant, "*" if is_baseline(record) else ""


def threads(record: Record) -> Cell:
    found = record.settings.threads
    return NOTHING if found is None else (str(found), "")


def value_of(measure: str) -> Write:
    def write(record: Record) -> Cell:
        found = record.measures.get(measure)
        return (format_value(found.value, found.unit), "") if found else NOTHING

    return write


def without_rate_unit(measure: str) -> Write:
    """A throughput loses its unit, for a column whose header has it; all else is as it is."""

    def write(record: Record) -> Cell:
        text, _ = value_of(measure)(record)
        return text.removesuffix(f" {RATE_UNIT}"), ""

    return write


rate = without_rate_unit("throughput")


def cost(record: Record) -> Cell:
    """Of a million requests, without its currency, for a column whose header has it."""
    text, _ = value_of("cost_per_million")(record)
    return text.removesuffix(" USD"), ""


def speedup_with_interval(record: Record) -> Cell:
    found = record.measures.get("speedup")
    if found is None:
        return _without_speedup(record)
    bounds = [_bare_ratio(bound) for bound in (found.low, found.high)]
    tail = f"[{bounds[0]}, {bounds[1]}]" if found.low or found.high else ""
    return format_value(found.value, found.unit), tail


def speedup_with_margin(record: Record) -> Cell:
    """The interval as the larger of its two sides, rounded up: shorter, and never too sure."""
    found = record.measures.get("speedup")
    if found is None:
        return _without_speedup(record)
    tail = ""
    if found.low is not None and found.high is not None:
        side = max(found.high - found.value, found.value - found.low)
        tail = "±" + _bare_ratio(max(0.01, math.ceil(round(100 * side, 6)) / 100))
    return format_value(found.value, found.unit), tail


def regression_with_interval(record: Record) -> Cell:
    """By how much slower than at the other revision; with a minus it is faster."""
    found = record.measures.get("regression")
    if found is None:
        return NOTHING
    bounds = [_bare_percent(bound) for bound in (found.low, found.high)]
    tail = f"[{bounds[0]}, {bounds[1]}]" if found.low or found.high else ""
    return _signed_percent(found), tail


def regression_with_margin(record: Record) -> Cell:
    found = record.measures.get("regression")
    if found is None:
        return NOTHING
    tail = ""
    if found.low is not None and found.high is not None:
        side = max(found.high - found.value, found.value - found.low)
        tail = "±" + _bare_percent(math.ceil(round(1e4 * side, 6)) / 1e4)
    return _signed_percent(found), tail


def quality_change(metric: str) -> Write:
    """Since the other revision."""

    def write(record: Record) -> Cell:
        against = record.evidence.against
        change = (against.changes or {}).get(metric) if against else None
        if change is None:
            return NOTHING
        sign = "+" if change.value >= 0 else ""
        return f"{sign}{format_value(change.value, change.unit)}", ""

    return write


def quality(metric: str) -> Write:
    def write(record: Record) -> Cell:
        found = record.measures.get(metric)
        if found is None:
            return NOTHING
        text = format_value(found.value, found.unit)
        difference = _difference(record, metric)
        if difference is None:
            return text, ""
        sign = "+" if difference >= 0 else ""
        return text, f"({sign}{format_value(difference, found.unit)})"

    return write


def verdict(record: Record) -> Cell:
    """The worst of the gates; a variant that could not be measured, or that has none, says so."""
    found = {gate.verdict for gate in record.gates}
    if Verdict.FAIL in found:
        return VERDICT_WORDS[Verdict.FAIL], ""
    if record.errors:
        return ERROR_WORD, ""
    if record.evidence.skipped:
        return SKIPPED_WORD, ""
    for worst in (Verdict.INCONCLUSIVE, Verdict.PASS):
        if worst in found:
            return VERDICT_WORDS[worst], ""
    return NOTHING


def short_verdict(record: Record) -> Cell:
    word, _ = verdict(record)
    return ("inconcl.", "") if word == VERDICT_WORDS[Verdict.INCONCLUSIVE] else (word, "")


def slower_than_baseline(record: Record) -> list[str]:
    """Why it may be, by what its backend saw when building.

    Nothing for one that is faster, or whose broken limit on speed-up says it already.
    """
    found = record.measures.get("speedup")
    told = any(g.measure == "speedup" and g.verdict is not Verdict.PASS for g in record.gates)
    if told or found is None or found.high is None or found.high >= 1:
        return []
    return list(record.evidence.doubts or [])


def is_baseline(record: Record) -> bool:
    return record.settings.baseline is True or record.settings.baseline_id == record.variant


def _without_speedup(record: Record) -> Cell:
    """The baseline is as fast as itself, once it was measured at all."""
    measured = is_baseline(record) and "latency_p50" in record.measures
    return (format_value(1.0, "ratio"), "") if measured else NOTHING


def _bare_ratio(value: float | None) -> str:
    return "?" if value is None else format_value(value, "ratio").removesuffix("x")


def _signed_percent(measure: Measure) -> str:
    sign = "+" if measure.value >= 0 else ""
    return sign + format_value(measure.value, measure.unit)


def _bare_percent(value: float | None) -> str:
    return "?" if value is None else format_value(value, "fraction").removesuffix(" %")


def _difference(record: Record, metric: str) -> float | None:
    """Variant minus baseline; the baseline's own, always nought, is not worth the room."""
    if is_baseline(record):
        return None
    difference = (record.evidence.differences or {}).get(metric)
    return difference.value if difference else None
