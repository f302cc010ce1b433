"""Limits on what may change between two saved runs: `latency_p50:5%,bleu:-0.5`.

A limit over nought is how much a measure may rise, one below nought how much it may fall. With a
per cent sign it is a share of what the measure was, otherwise in the measure's own unit.
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

_EXAMPLE = 'write measure:limit, such as "latency_p50:5%,bleu:-0.5"'


@dataclass(frozen=True)
class ChangeLimit:
    measure: str
    text: str

    @property
    def is_relative(self) -> bool:
        return self.text.endswith("%")

    @property
    def is_fall(self) -> bool:
        return self.text.startswith("-")


class Finding(Enum):
    KEPT = "keeps to it"
    BROKEN = "is beyond it"
    UNCERTAIN = "is too uncertain to tell"
    NOT_COMPARED = "could not be compared"


@dataclass(frozen=True)
class Judged:
    change: Change
    limit: ChangeLimit
    finding: Finding


def parse(text: str) -> list[ChangeLimit]:
    """Raises UserError for what is no limit."""
    limits = []
    for part in text.split(","):
        measure, colon, limit = (piece.strip() for piece in part.partition(":"))
        if not colon or not measure or not limit.lstrip("+-"):
            raise UserError(f"--fail-on: {part.strip()!r} is no limit; {_EXAMPLE}")
        limits.append(ChangeLimit(measure, limit.replace(" ", "").removeprefix("+")))
    return limits


def judge(changes: Sequence[Change], limits: Sequence[ChangeLimit]) -> Iterator[Judged]:
    """Each limit on each variant that has its measure; UserError when no variant has it."""
    known = dict.fromkeys(change.measure for change in changes)
    for limit in limits:
        if limit.measure not in known:
            near = get_close_matches(limit.measure, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"they have {', '.join(known)}"
            raise UserError(f"--fail-on: neither run has a measure {limit.measure!r}; {hint}")
        for change in changes:
            if change.measure == limit.measure:
                yield Judged(change, limit, _finding(change, limit))


def _finding(change: Change, limit: ChangeLimit) -> Finding:
    if change.change is None or change.before is None:
        return Finding.NOT_COMPARED
    found = _in_unit_of(limit, change.change, change.before)
    value = _value(limit, found.unit)
    low, high = bounds(found)
    if limit.is_fall:
        value, low, high = -value, -high, -low
    if low > value:
        return Finding.BROKEN
    return Finding.KEPT if high <= value else Finding.UNCERTAIN


def _in_unit_of(limit: ChangeLimit, change: Measure, before: Measure) -> Measure:
    """The change as a share when the limit is one, else in the measure's own unit."""
    in_shares = change.unit == "fraction" and before.unit != "fraction"
    if limit.is_relative == in_shares or before.unit == "fraction":
        return change
    factor, unit = (
        (1 / before.value, "fraction") if limit.is_relative else (before.value, before.unit)
    )
    low, high = (None if bound is None else bound * factor for bound in (change.low, change.high))
    return Measure(change.value * factor, unit, low, high, change.n)


def _value(limit: ChangeLimit, unit: str) -> float:
    try:
        if limit.is_relative or unit in ("points", "fraction"):
            return parse_quantity(limit.text, unit)
        sign = -1 if limit.is_fall else 1
        return sign * parse_quantity(limit.text.removeprefix("-"), unit)
    except ValueError as error:
        raise UserError(f"--fail-on: {limit.measure}: {error}") from error


def describe(judged: Judged) -> str:
    """One line about what did not keep to its limit."""
    change, limit = judged.change, judged.limit
    what = f"{change.suite}[{change.variant}] {change.measure}"
    allowed = f"{'fall' if limit.is_fall else 'rise'} of at most {limit.text.removeprefix('-')}"
    if change.change is None:
        missing = "before" if change.before is None else "after"
        return f"{what} was not measured {missing} or hosts differ; allowed is a {allowed}"
    text = format_value(change.change.value, change.change.unit)
    sign = "+" if change.change.value >= 0 else ""
    return f"{what} changed by {sign}{text}, which {judged.finding.value}: allowed is a {allowed}"
