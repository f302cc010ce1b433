"""Gates: a limit on a measure, and the verdict that measuring gives it.

A verdict needs certainty: a whole interval on one side of the limit, or, for a percentile, too few
or too many queries over it (MLPerf LoadGen's early stopping rule).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pytest_infperf.gates.remedy import after_fail, another_generator, more_queries, more_time
from pytest_infperf.records.catalogue import LimitKind, MeasureKind
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import GROWTH, base_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import GateRecord, Measure, Verdict

_PAIRED = frozenset({"speedup", "regression"})
_ESTIMATED = frozenset(
    {
        *_PAIRED,
        "trend",
        "cpu_time",
        "latency_mean",
        "model_time_p50",
        "real_time_factor",
        "throughput",
        "requests_per_hour",
        "cpu_usage",
        "memory_growth",
        GROWTH,
    }
)
"""Of the measures of latency, those that are no percentile with a rule of its own, and vary."""


@dataclass(frozen=True)
class Limit:
    kind: LimitKind
    value: float
    """In the measure's unit: seconds, bytes, samples/s, points, or a plain ratio."""
    text: str
    """As it stands in thresholds.toml, such as `max = "300 ms"`."""


@dataclass(frozen=True)
class Gate:
    kind: MeasureKind
    limit: Limit
    source: str
    """File and line, such as `thresholds.toml:12`."""
    confidence: float
    inconclusive: Literal["fail", "warn"]

    @property
    def measure(self) -> str:
        return self.kind.name


@dataclass(frozen=True)
class _Judged:
    """A quantity beside its limit, with the words around it."""

    quantity: Measure
    exact: bool
    """Known rather than estimated: judged by its value."""
    about: str = ""
    against: str = ""


def judge(gate: Gate, measured: Measured) -> GateRecord:
    """The verdict on one limit, why, and what to do about it."""
    p = gate.kind.percentile
    if p is not None and gate.kind.method != "load":  # under load neighbours depend on each other
        return _judge_percentile(gate, p, measured)
    judged = _judged(gate, measured)
    if isinstance(judged, str):
        return _not_measured(gate, judged, measured.missing.get(gate.measure))
    low, high = _bounds(judged.quantity, judged.exact)
    verdict = _verdict(low, high, gate.limit)
    remedy = ""
    if verdict is Verdict.PASS and measured.doubt:
        why = f"{_why(gate, judged, verdict)}, but {measured.doubt}"
        return _record(gate, Verdict.INCONCLUSIVE, why, another_generator())
    if verdict is Verdict.FAIL:
        remedy = after_fail(gate.kind, gate.limit.kind, gate.source)
    elif verdict is Verdict.INCONCLUSIVE:
        remedy = more_time(
            gate.kind, judged.quantity, (low, high), gate.limit.value, measured.seconds
        )
    return _record(gate, verdict, _why(gate, judged, verdict), remedy)


def _judged(gate: Gate, measured: Measured) -> _Judged | str:
    """What the limit bounds, or the words for what is missing."""
    name, kind = gate.measure, gate.kind
    known = measured.whole_set and kind.method == "quality"
    if gate.limit.kind == "max_regression":
        change = measured.changes.get(name)
        if change is None:
            return f"the change of {name} since the other revision"
        worse = _negated(change) if kind.higher_is_better else change
        return _Judged(worse, known, " loss", " against the other revision")
    if gate.limit.kind in ("max_drop", "max_rise"):
        difference = measured.differences.get(name)
        if difference is None:
            return f"the difference of {name} to the baseline"
        if gate.limit.kind == "max_drop":
            return _Judged(_negated(difference), known, " drop", " against the baseline")
        return _Judged(difference, known, " rise", " against the baseline")
    measure = measured.measures.get(name)
    if measure is None:
        return name
    if gate.limit.kind in ("min_ratio", "max_ratio"):
        baseline = measured.baseline.get(name)
        if baseline is None:
            return f"the baseline's {name}"
        if not baseline.value:
            return f"a baseline's {name} above zero"
        return _ratio(kind, measure, baseline)
    return _Judged(measure, known or not _is_estimated(kind, measure))


def _is_estimated(kind: MeasureKind, measure: Measure) -> bool:
    """Whether it varies; then a missing bound is one that so little measuring cannot give."""
    if measure.low is not None or measure.high is not None:
        return True
    if kind.method == "load" and kind.percentile is not None:
        return True
    return base_of(kind.name) in _ESTIMATED or kind.method in ("throughput", "quality")


def _negated(difference: Measure) -> Measure:
    low, high = difference.low, difference.high
    return Measure(
        -difference.value,
        difference.unit,
        None if high is None else -high,
        None if low is None else -low,
        difference.n,
    )


def _ratio(kind: MeasureKind, measure: Measure, baseline: Measure) -> _Judged:
    from pytest_infperf.stats.independent import Estimate
    from pytest_infperf.stats.independent import ratio as ratio_of

    estimated = [_is_estimated(kind, side) for side in (measure, baseline)]
    sides = (
        Estimate(side.value, *_bounds(side, not varies))
        for side, varies in zip((measure, baseline), estimated, strict=True)
    )
    found = ratio_of(*sides)
    ratio = Measure(
        found.value,
        "ratio",
        found.low or None,
        found.high if math.isfinite(found.high) else None,
        min(measure.n, baseline.n),
    )
    return _Judged(ratio, not any(estimated), "", " of the baseline's")


def _bounds(quantity: Measure, exact: bool) -> tuple[float, float]:
    if exact:
        return quantity.value, quantity.value
    return (
        -math.inf if quantity.low is None else quantity.low,
        math.inf if quantity.high is None else quantity.high,
    )


def _is_lower_limit(limit: Limit) -> bool:
    return limit.kind in ("min", "min_ratio")


def _verdict(low: float, high: float, limit: Limit) -> Verdict:
    if _is_lower_limit(limit):
        met, broken = low >= limit.value, high < limit.value
    else:
        met, broken = high <= limit.value, low > limit.value
    return Verdict.PASS if met else Verdict.FAIL if broken else Verdict.INCONCLUSIVE


def _judge_percentile(gate: Gate, p: float, measured: Measured) -> GateRecord:
    from pytest_infperf.stats.quantile import (
        order_statistic_interval,
        percentile,
        percentile_decision,
    )

    times, limit, confidence = measured.times_s, gate.limit, measured.confidence
    if not times:
        return _not_measured(gate, gate.measure)
    n = len(times)
    if _is_lower_limit(limit):
        over = sum(time >= limit.value for time in times)
        took = "took at least"
    else:
        over = sum(time > limit.value for time in times)
        took = "took longer than"
    passing = measured.passing.get(gate.measure)
    under = percentile_decision(over, n, p, confidence, passing)
    if under is None:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.PASS if under != _is_lower_limit(limit) else Verdict.FAIL
    low, high = order_statistic_interval(times, p, confidence)
    quantity = Measure(percentile(times, p), "s", low, high, n)
    value, interval, limit_text = _texts(quantity, limit.value)
    why = (
        f"{gate.measure}: {over} of {n} queries {took} {limit_text}, "
        f"{gate.measure.removeprefix('latency_')} is {value}{interval}"
    )
    remedy = ""
    if verdict is Verdict.FAIL:
        remedy = after_fail(gate.kind, gate.limit.kind, gate.source)
    elif verdict is Verdict.INCONCLUSIVE:
        why += ", too few queries to tell"
        remedy = more_queries(over, n, p, confidence, measured.seconds)
    return _record(gate, verdict, why, remedy)


def _record(gate: Gate, verdict: Verdict, why: str, remedy: str) -> GateRecord:
    return GateRecord(gate.measure, gate.limit.text, verdict, why, remedy, gate.source)


def _not_measured(gate: Gate, what: str, reason: str | None = None) -> GateRecord:
    return _record(
        gate,
        Verdict.INCONCLUSIVE,
        f"{what} was not measured, so the limit {gate.limit.text} has nothing to judge",
        reason
        or f"see the errors of this variant and of its baseline, or remove the limit at "
        f"{gate.source}",
    )


def _why(gate: Gate, judged: _Judged, verdict: Verdict) -> str:
    value, interval, limit = _texts(judged.quantity, gate.limit.value)
    if judged.exact:
        interval = ""
    beyond = "below" if _is_lower_limit(gate.limit) else "above"
    relation = {
        Verdict.PASS: "keeps to the limit of",
        Verdict.FAIL: f"is {beyond} the limit of",
        Verdict.INCONCLUSIVE: "is too uncertain to tell from the limit of",
    }[verdict]
    subject = f"{gate.measure}{judged.about} {value}{interval}{judged.against}"
    return f"{subject} {relation} {limit}{_count(gate.kind, judged.quantity)}"


def _count(kind: MeasureKind, quantity: Measure) -> str:
    if quantity.n < 2:
        return ""
    nouns = {
        "latency": "queries", "throughput": "samples", "quality": "samples", "load": "requests",
    }  # fmt: skip
    noun = "pairs" if kind.name in _PAIRED else nouns.get(kind.method, "readings")
    noun = "windows" if base_of(kind.name) == "cpu_usage" else noun
    noun = "rounds" if base_of(kind.name) == GROWTH else noun
    noun = "earlier runs" if kind.needs == "a history" else noun
    return f" ({quantity.n:,} {noun})"


def _texts(quantity: Measure, limit: float) -> tuple[str, str, str]:
    """Value, interval and limit, with as many digits as tell each of them from the limit."""
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
