"""Limits on the changes between two saved runs, for example `latency_p50:5%,bleu:-0.5`.

A positive limit is the largest allowed rise of a measure, a negative one the largest allowed fall.
With a per cent sign, it is relative to the earlier value; otherwise it is in the measure's unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from pytest_infperf.errors import UserError
from pytest_infperf.history.comparison import Change, bounds
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value, parse_quantity

_EXAMPLE = 'write measure:limit, for example "latency_p50:5%,bleu:-0.5"'


@dataclass(frozen=True)
class ChangeLimit:
    measure: str
    text: str
    """The limit as written, without spaces and without a plus sign."""

    @property
    def is_relative(self) -> bool:
        return self.text.endswith("%")

    @property
    def is_fall(self) -> bool:
        return self.text.startswith("-")


class Finding(Enum):
    """How a change relates to a limit, as text for a message."""

    KEPT = "is within the limit"
    BROKEN = "is beyond the limit"
    INCONCLUSIVE = "is too uncertain to compare with the limit"
    NOT_COMPARED = "could not be compared"


@dataclass(frozen=True)
class JudgedChange:
    change: Change
    limit: ChangeLimit
    finding: Finding


def parse(text: str) -> list[ChangeLimit]:
    """Parse the value of `--fail-on`. Raises UserError if a part of it is not a limit."""
    limits = []
    for part in text.split(","):
        measure, colon, limit = (piece.strip() for piece in part.partition(":"))
        if not colon or not measure or not limit.lstrip("+-"):
            raise UserError(f"--fail-on: {part.strip()!r} is not a limit; {_EXAMPLE}")
        limits.append(ChangeLimit(measure, limit.replace(" ", "").removeprefix("+")))
    return limits


def judge(changes: Sequence[Change], limits: Sequence[ChangeLimit]) -> Iterator[JudgedChange]:
    """Yield a finding for each limit and each variant that has its measure.

    Raises UserError if no variant has the measure of a limit.
    """
    measures = dict.fromkeys(change.measure for change in changes)
    for limit in limits:
        if limit.measure not in measures:
            near = get_close_matches(limit.measure, measures, 1)
            hint = f"did you mean {near[0]}?" if near else f"they have {', '.join(measures)}"
            raise UserError(f"--fail-on: neither run has a measure {limit.measure!r}; {hint}")
        for change in changes:
            if change.measure == limit.measure:
                yield JudgedChange(change, limit, _finding(change, limit))


def describe(judged: JudgedChange) -> str:
    """Return a line about a change that is not within its limit."""
    change, limit = judged.change, judged.limit
    name = f"{change.suite}[{change.variant}] {change.measure}"
    allowed = f"a {'fall' if limit.is_fall else 'rise'} of at most {limit.text.removeprefix('-')}"
    if change.change is None:
        return f"{name} {_why_not_compared(change)}; the limit is {allowed}"
    if judged.finding is Finding.NOT_COMPARED:
        reason = "is 0 in the run before, so its relative change is unknown"
        return f"{name} {reason}; the limit is {allowed}"
    text = format_value(change.change.value, change.change.unit)
    sign = "+" if change.change.value >= 0 else ""
    return f"{name} changed by {sign}{text}, which {judged.finding.value}: {allowed}"


def _why_not_compared(change: Change) -> str:
    before, after = change.before, change.after
    if before is None or after is None:
        return f"was not measured in the run {'before' if before is None else 'after'}"
    if before.unit != after.unit:
        return f"has the unit {before.unit} in one run and {after.unit} in the other"
    if min(before.value, after.value) <= 0:
        return "is not positive in both runs"
    return "could not be compared: the hosts differ, and there is no baseline to compare it with"


def _finding(change: Change, limit: ChangeLimit) -> Finding:
    if change.change is None or change.before is None:
        return Finding.NOT_COMPARED
    measure = _in_unit_of(limit, change.change, change.before)
    if measure is None:
        return Finding.NOT_COMPARED
    allowed = _value(limit, measure.unit)
    low, high = bounds(measure)
    if limit.is_fall:
        allowed, low, high = -allowed, -high, -low
    if low > allowed:
        return Finding.BROKEN
    return Finding.KEPT if high <= allowed else Finding.INCONCLUSIVE


def _in_unit_of(limit: ChangeLimit, change: Measure, before: Measure) -> Measure | None:
    """Return the change as a fraction if the limit is relative, otherwise in the measure's unit.

    None if it would be a fraction of 0.
    """
    is_share = change.unit == "fraction" and before.unit != "fraction"
    if limit.is_relative == is_share or before.unit == "fraction":
        return change
    if limit.is_relative and not before.value:
        return None
    factor, unit = (
        (1 / abs(before.value), "fraction") if limit.is_relative else (before.value, before.unit)
    )
    low, high = (None if bound is None else bound * factor for bound in (change.low, change.high))
    return Measure(change.value * factor, unit, low, high, change.n)


def _value(limit: ChangeLimit, unit: str) -> float:
    """Parse the limit in a unit. Raises UserError if the limit is not a quantity of that unit."""
    try:
        if limit.is_relative or unit in ("points", "fraction"):
            return parse_quantity(limit.text, unit)
        # Times and sizes can't be negative, but may fall.
        sign = -1 if limit.is_fall else 1
        return sign * parse_quantity(limit.text.removeprefix("-"), unit)
    except ValueError as error:
        raise UserError(f"--fail-on: {limit.measure}: {error}") from error
