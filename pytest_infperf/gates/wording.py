"""The sentences of verdicts: value, interval and limit with enough digits to distinguish them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pytest_infperf.records.catalogue import PAIRED_MEASURES, TEXT_MEASURES, MeasureSpec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import GROWTH, base_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import GateRecord, Verdict
from pytest_infperf.thresholds.gate import Gate


@dataclass(frozen=True)
class JudgedQuantity:
    """A quantity that a limit bounds, with the text for its sentence."""

    quantity: Measure
    exact: bool
    """Whether the quantity is known exactly, so that its interval is ignored."""
    about: str = ""
    """The text after the name of the measure, such as " drop"."""
    against: str = ""
    """The text after the value, such as " against the baseline"."""


def gate_record(
    gate: Gate, verdict: Verdict, why: str, remedy: str, more_s: float | None = None
) -> GateRecord:
    """Return the record of a verdict; infinite `more_s` is recorded as unknown."""
    known_s = more_s if more_s is not None and math.isfinite(more_s) else None
    return GateRecord(
        gate.measure, gate.limit.text, verdict, why, remedy, gate.source, more_s=known_s
    )


def not_measured(gate: Gate, what: str, reason: str | None = None) -> GateRecord:
    """Return the record of an inconclusive limit on something that was not measured.

    Parameters
    ----------
    gate : Gate
        The limit.
    what : str
        A description of what was not measured.
    reason : str, optional
        Why it was not measured.
    """
    return gate_record(
        gate,
        Verdict.INCONCLUSIVE,
        f"{what} was not measured, so the limit {gate.limit.text} cannot be judged",
        reason
        or f"see the errors of this variant and of its baseline, or remove the limit at "
        f"{gate.source}",
    )


def not_judged(gate: Gate) -> GateRecord:
    """Return the inconclusive record of a limit that no test has judged."""
    outcome = gate_record(
        gate,
        Verdict.INCONCLUSIVE,
        f"{gate.measure}: no test of this run judged the limit {gate.limit.text}",
        f"call check() on the result of variant.{gate.spec.method}() in a test of this suite, or "
        f"remove the limit at {gate.source}",
    )
    return replace(outcome, tries=0)


def explain(gate: Gate, judged: JudgedQuantity, verdict: Verdict) -> str:
    """Return the sentence that gives the reason for a verdict."""
    value, interval, limit = quantity_texts(judged.quantity, gate.limit.value)
    if judged.exact:
        interval = ""
    beyond = "below" if gate.limit.is_lower else "above"
    relation = {
        Verdict.PASS: "meets the limit of",
        Verdict.FAIL: f"is {beyond} the limit of",
        Verdict.INCONCLUSIVE: "is too uncertain to tell from the limit of",
    }[verdict]
    subject = f"{gate.measure}{judged.about} {value}{interval}{judged.against}"
    return f"{subject} {relation} {limit}{_count(gate.spec, judged.quantity)}"


def _count(spec: MeasureSpec, quantity: Measure) -> str:
    if quantity.n < 2:
        return ""
    nouns = {
        "latency": "queries", "throughput": "samples", "quality": "samples", "load": "requests",
    }  # fmt: skip
    noun = "pairs" if spec.name in PAIRED_MEASURES else nouns.get(spec.method, "readings")
    noun = "windows" if base_of(spec.name) in ("cpu_usage", *TEXT_MEASURES) else noun
    noun = "rounds" if base_of(spec.name) == GROWTH else noun
    noun = "earlier runs" if spec.needs == "a history" else noun
    return f" ({quantity.n:,} {noun})"


def quantity_texts(quantity: Measure, limit: float) -> tuple[str, str, str]:
    """Return value, interval and limit, with enough digits to distinguish each from the limit."""
    bounds = [bound for bound in (quantity.low, quantity.high) if bound is not None]
    others = [number for number in (quantity.value, *bounds) if number != limit]
    extra = 0
    while extra < 3 and any(
        format_value(number, quantity.unit, extra) == format_value(limit, quantity.unit, extra)
        for number in others
    ):
        extra += 1

    def text(number: float) -> str:
        return format_value(number, quantity.unit, extra)

    interval = ""
    if bounds:
        low, high = (
            "no bound" if bound is None else _without_times_sign(text(bound), quantity.unit)
            for bound in (quantity.low, quantity.high)
        )
        interval = f" [{low}, {high}]"
    return text(quantity.value), interval, text(limit)


def _without_times_sign(text: str, unit: str) -> str:
    return text.removesuffix("x") if unit == "ratio" else text
