"""The verdict on one limit: pass, fail or inconclusive.

A limit is met or broken if the whole confidence interval is on one side of it. Percentiles of
latency have their own rule, see `gates.percentile`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_infperf.gates import outlook
from pytest_infperf.gates.percentile import judge_percentile
from pytest_infperf.gates.remedy import after_fail, another_generator, more_time
from pytest_infperf.gates.wording import (
    JudgedQuantity,
    explain,
    gate_record,
    not_measured,
)
from pytest_infperf.records.catalogue import PAIRED_MEASURES, TOKEN_TIMES, MeasureSpec
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import GROWTH, base_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import GateRecord, Verdict
from pytest_infperf.thresholds.gate import Gate, Limit

_ESTIMATED = frozenset(
    {
        *PAIRED_MEASURES,
        "trend",
        "cpu_time",
        "latency_mean",
        *(f"{times}_mean" for times in TOKEN_TIMES),
        "output_tokens_rate",
        "prompt_tokens_rate",
        "model_time_p50",
        "real_time_factor",
        "throughput",
        "token_throughput",
        "requests_per_hour",
        "cpu_usage",
        "memory_growth",
        "error_rate",
        "highest_rate",
        GROWTH,
    }
)
"""Measures that are estimated with an interval, except percentiles, which have their own rule."""

_OF_BASELINE = " of the baseline's"
_TINY = 1e-6
"""Difference to the worst score that counts as rounding, in points."""
_CORRECT_MODEL = (
    "find where the model overflows: in bfloat16 or int8 layers, with broken weights, or on the "
    "samples that the record names"
)
_CORRECT_DATA = (
    "check that outputs and references have the same form (labels, their case and type, language, "
    "encoding), and that the baseline works"
)


def judge(gate: Gate, measured: Measured) -> GateRecord:
    """Return the verdict on one limit, its reason, and a remedy if the limit did not pass.

    Parameters
    ----------
    gate : Gate
        The limit.
    measured : Measured
        The measures of the method that the gate belongs to.
    """
    outcome = _judge(gate, measured)
    if measured.remark:
        return replace(outcome, why=f"{outcome.why}; {measured.remark}")
    return outcome


def _judge(gate: Gate, measured: Measured) -> GateRecord:
    if gate.spec.method == "quality" and (unusable := _unusable_quality(gate, measured)):
        return unusable
    if (p := gate.spec.percentile) is not None:
        return _doubted(gate, measured, judge_percentile(gate, p, measured))
    judged = _limited_quantity(gate, measured)
    if isinstance(judged, str):
        return not_measured(gate, judged, measured.missing.get(gate.measure))
    low, high = _bounds(judged.quantity, judged.exact)
    verdict = _verdict(low, high, gate.limit)
    remedy, more_s = "", None
    if verdict is Verdict.FAIL:
        remedy = after_fail(gate)
    elif verdict is Verdict.INCONCLUSIVE:
        more_s = outlook.of_interval(judged.quantity, (low, high), gate.limit.value, measured)
        has_bounds = math.isfinite(low) and math.isfinite(high)
        remedy = more_time(gate.spec, more_s, measured.seconds, has_bounds=has_bounds)
    record = gate_record(gate, verdict, explain(gate, judged, verdict), remedy, more_s)
    return _doubted(gate, measured, record)


def _doubted(gate: Gate, measured: Measured, outcome: GateRecord) -> GateRecord:
    """Return the verdict, changed from pass to inconclusive if the values are in doubt."""
    if outcome.verdict is not Verdict.PASS or not measured.doubt:
        return outcome
    why = f"{outcome.why}, but {measured.doubt}"
    return gate_record(gate, Verdict.INCONCLUSIVE, why, another_generator())


def _unusable_quality(gate: Gate, measured: Measured) -> GateRecord | None:
    """Return the verdict on a limit if its scores have no meaning, else None."""
    name, spec = gate.measure, gate.spec
    if measured.not_finite:
        counted = "; the score counts them as wrong" if name in measured.measures else ""
        why = f"{name}: {measured.not_finite}{counted}"
        return gate_record(gate, Verdict.FAIL, why, _CORRECT_MODEL)
    compares = gate.limit.rule in ("max_drop", "max_rise")
    if measured.baseline_not_finite and (compares or name == "agreement"):
        why = f"{name} of the baseline is not a standard: {measured.baseline_not_finite}"
        return gate_record(gate, Verdict.INCONCLUSIVE, why, _CORRECT_MODEL)
    score = measured.measures.get(name)
    for rules, other_name, differences in (
        (("max_drop", "max_rise"), "the baseline", measured.differences),
        (("max_regression",), "the other revision", measured.changes),
    ):
        difference = differences.get(name)
        if gate.limit.rule not in rules or score is None or difference is None:
            continue
        other = score.value - difference.value
        if _is_worst(other, spec) and _is_worst(score.value, spec):
            shown = format_value(other, score.unit)
            why = f"{other_name} also has {name} {shown}, so no loss can be measured"
            return gate_record(gate, Verdict.INCONCLUSIVE, why, _CORRECT_DATA)
    return None


def _is_worst(value: float, spec: MeasureSpec) -> bool:
    """Return whether a score from 0 to 100 is the worst possible."""
    if spec.unit != "points":
        return False
    return value < _TINY if spec.higher_is_better else value > 100 - _TINY


def _limited_quantity(gate: Gate, measured: Measured) -> JudgedQuantity | str:
    """Return the quantity that the limit bounds, or a description of what was not measured."""
    name, spec = gate.measure, gate.spec
    exact = measured.whole_set and spec.method == "quality"
    if gate.limit.rule == "max_regression":
        change = measured.changes.get(name)
        if change is None:
            return f"the change of {name} since the other revision"
        worse = _negated(change) if spec.higher_is_better else change
        return JudgedQuantity(worse, exact, " loss", " against the other revision")
    if gate.limit.rule in ("max_drop", "max_rise"):
        difference = measured.differences.get(name)
        if difference is None:
            return f"the difference of {name} to the baseline"
        if gate.limit.rule == "max_drop":
            return JudgedQuantity(_negated(difference), exact, " drop", " against the baseline")
        return JudgedQuantity(difference, exact, " rise", " against the baseline")
    measure = measured.measures.get(name)
    if measure is None:
        return name
    if gate.limit.rule in ("min_ratio", "max_ratio"):
        if paired := measured.ratios.get(name):
            return JudgedQuantity(paired, exact, "", _OF_BASELINE)
        baseline = measured.baseline.get(name)
        if baseline is None:
            return f"the baseline's {name}"
        if not baseline.value:
            return f"a baseline's {name} above zero"
        return _ratio(spec, measure, baseline, exact=exact)
    # No run can prove that requests never fail: a limit of 0 counts the errors of this run.
    is_count = base_of(name) == "error_rate" and gate.limit.value == 0
    return JudgedQuantity(measure, exact or is_count or not _is_estimated(spec, measure))


def _is_estimated(spec: MeasureSpec, measure: Measure) -> bool:
    """Return whether a measure has an interval; a missing bound then means too few observations."""
    if measure.low is not None or measure.high is not None:
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


def _ratio(
    spec: MeasureSpec, measure: Measure, baseline: Measure, *, exact: bool
) -> JudgedQuantity:
    from pytest_infperf.stats.independent import Estimate, ratio as ratio_of

    estimated = [_is_estimated(spec, side) for side in (measure, baseline)]
    sides = (
        Estimate(side.value, *_bounds(side, not varies))
        for side, varies in zip((measure, baseline), estimated, strict=True)
    )
    estimate = ratio_of(*sides)
    ratio = Measure(
        estimate.value,
        "ratio",
        estimate.low or None,
        estimate.high if math.isfinite(estimate.high) else None,
        min(measure.n, baseline.n),
    )
    return JudgedQuantity(ratio, exact or not any(estimated), "", _OF_BASELINE)


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
