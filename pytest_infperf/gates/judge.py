"""The verdict on one limit: pass, fail or inconclusive.

A verdict needs certainty: the whole interval lies on one side of the limit. Percentiles of latency
have a rule of their own, see `gates.percentile`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_infperf.gates.percentile import judge_percentile
from pytest_infperf.gates.remedy import after_fail, another_generator, more_time
from pytest_infperf.gates.wording import (
    PAIRED_MEASURES,
    JudgedQuantity,
    explain,
    gate_record,
    not_measured,
)
from pytest_infperf.records.catalogue import MeasureSpec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import GROWTH, base_of
from pytest_infperf.records.record import GateRecord, Verdict
from pytest_infperf.thresholds.gate import Gate, Limit

_ESTIMATED = frozenset(
    {
        *PAIRED_MEASURES,
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
"""Measures that are estimated with an interval, except percentiles, which have their own rule."""


def judge(gate: Gate, measured: Measured) -> GateRecord:
    """Return the verdict on one limit, its reason, and a remedy if the limit did not pass.

    Parameters
    ----------
    gate : Gate
        The limit.
    measured : Measured
        What the method that the gate belongs to has measured.
    """
    outcome = _judge(gate, measured)
    if measured.remark:
        return replace(outcome, why=f"{outcome.why}; {measured.remark}")
    return outcome


def _judge(gate: Gate, measured: Measured) -> GateRecord:
    p = gate.spec.percentile
    # Under load, neighbouring requests depend on each other; their percentiles have an interval.
    if p is not None and gate.spec.method != "load":
        return judge_percentile(gate, p, measured)
    judged = _limited_quantity(gate, measured)
    if isinstance(judged, str):
        return not_measured(gate, judged, measured.missing.get(gate.measure))
    low, high = _bounds(judged.quantity, judged.exact)
    verdict = _verdict(low, high, gate.limit)
    remedy = ""
    if verdict is Verdict.PASS and measured.doubt:
        why = f"{explain(gate, judged, verdict)}, but {measured.doubt}"
        return gate_record(gate, Verdict.INCONCLUSIVE, why, another_generator())
    if verdict is Verdict.FAIL:
        remedy = after_fail(gate.spec, gate.limit.rule, gate.source)
    elif verdict is Verdict.INCONCLUSIVE:
        remedy = more_time(
            gate.spec, judged.quantity, (low, high), gate.limit.value, measured.seconds
        )
    return gate_record(gate, verdict, explain(gate, judged, verdict), remedy)


def _limited_quantity(gate: Gate, measured: Measured) -> JudgedQuantity | str:
    """Return the quantity that the limit bounds, or the name of what was not measured."""
    name, spec = gate.measure, gate.spec
    known = measured.whole_set and spec.method == "quality"
    if gate.limit.rule == "max_regression":
        change = measured.changes.get(name)
        if change is None:
            return f"the change of {name} since the other revision"
        worse = _negated(change) if spec.higher_is_better else change
        return JudgedQuantity(worse, known, " loss", " against the other revision")
    if gate.limit.rule in ("max_drop", "max_rise"):
        difference = measured.differences.get(name)
        if difference is None:
            return f"the difference of {name} to the baseline"
        if gate.limit.rule == "max_drop":
            return JudgedQuantity(_negated(difference), known, " drop", " against the baseline")
        return JudgedQuantity(difference, known, " rise", " against the baseline")
    measure = measured.measures.get(name)
    if measure is None:
        return name
    if gate.limit.rule in ("min_ratio", "max_ratio"):
        baseline = measured.baseline.get(name)
        if baseline is None:
            return f"the baseline's {name}"
        if not baseline.value:
            return f"a baseline's {name} above zero"
        return _ratio(spec, measure, baseline)
    return JudgedQuantity(measure, known or not _is_estimated(spec, measure))


def _is_estimated(spec: MeasureSpec, measure: Measure) -> bool:
    """Return whether a measure has an interval; a missing bound then means too few observations."""
    if measure.low is not None or measure.high is not None:
        return True
    if spec.method == "load" and spec.percentile is not None:
        return True
    return base_of(spec.name) in _ESTIMATED or spec.method in ("throughput", "quality")


def _negated(difference: Measure) -> Measure:
    low, high = difference.low, difference.high
    return Measure(
        -difference.value,
        difference.unit,
        None if high is None else -high,
        None if low is None else -low,
        difference.n,
    )


def _ratio(spec: MeasureSpec, measure: Measure, baseline: Measure) -> JudgedQuantity:
    from pytest_infperf.stats.independent import Estimate, ratio as ratio_of

    estimated = [_is_estimated(spec, side) for side in (measure, baseline)]
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
    return JudgedQuantity(ratio, not any(estimated), "", " of the baseline's")


def _bounds(quantity: Measure, exact: bool) -> tuple[float, float]:
    if exact:
        return quantity.value, quantity.value
    return (
        -math.inf if quantity.low is None else quantity.low,
        math.inf if quantity.high is None else quantity.high,
    )


def _verdict(low: float, high: float, limit: Limit) -> Verdict:
    if limit.is_lower:
        met, broken = low >= limit.value, high < limit.value
    else:
        met, broken = high <= limit.value, low > limit.value
    return Verdict.PASS if met else Verdict.FAIL if broken else Verdict.INCONCLUSIVE
