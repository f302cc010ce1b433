"""Limits for a new suite, which all of its first runs meet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pytest_infperf.cli.init.draft import SuiteDraft
from pytest_infperf.cli.init.measuring import Slowdown
from pytest_infperf.errors import UserError
from pytest_infperf.metrics import metric
from pytest_infperf.records.catalogue import LimitRule
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record
from pytest_infperf.report.problems import variant_name
from pytest_infperf.thresholds.sections import (
    Bound,
    Gates,
    Policy,
    PolicyOverrides,
    SuiteSection,
    VariantSection,
)

_MARGIN = 1.2
"""Factor between a measured time or memory and its limit, which allows for later variation."""
_SPEEDUP_MARGIN = 0.85
"""Factor between the lower end of a speed-up's interval and its limit."""
_LEAST_SPEEDUP = 0.5
"""Smallest useful limit: a lower one does not show that a variant is faster."""
_WORTHLESS = {"bleu": 1.0, "chrf": 5.0, "cosine": 0.5}
"""Scores, by metric, up to which outputs have almost nothing in common with the references."""
_CORRELATIONS = ("pearson", "spearman", "sts_spearman")


def suite_section(
    draft: SuiteDraft, runs: Sequence[Sequence[Record]], findable: Slowdown
) -> SuiteSection:
    """Return the suite's section of thresholds.toml, with limits that all runs meet.

    The limits of the baseline apply to every variant unless a variant has its own. The limit on
    `regression` is the slowdown that this host can detect, with the required budget.
    """
    by_variant: dict[str, list[Gates]] = {}
    for record in (record for records in runs for record in records):
        gates = _gates(record, draft)
        by_variant.setdefault(record.variant, []).append(gates)
    loosest = {variant: _loosest(gates) for variant, gates in by_variant.items()}
    common = dict(loosest.pop(draft.baseline))
    common["regression"] = {"max": f"{findable.percent} %"}
    needs_more = findable.budget_s > Policy().budget_s
    return SuiteSection(
        draft.baseline if draft.compares else None,
        PolicyOverrides(budget_s=findable.budget_s) if needs_more else PolicyOverrides(),
        gates=common,
        variants={variant: VariantSection(gates) for variant, gates in loosest.items()},
    )


def _gates(record: Record, draft: SuiteDraft) -> Gates:
    measures = record.measures
    is_baseline = record.variant == draft.baseline
    gates: dict[str, dict[LimitRule, Bound]] = {}
    name = record.evidence.quality_metric or ""
    if quality := measures.get(name):
        _refuse_worthless(record, name, quality, draft)
        difference = (record.evidence.differences or {}).get(name)
        if record.evidence.whole_set:
            quality, difference = _with_room(quality), difference and _with_room(difference)
        if limits := _quality_limits(quality, difference, metric(name).higher_is_better):
            gates[name] = limits
    if latency := measures.get("latency_p90"):
        limit_ms = 1e3 * _MARGIN * (latency.high or latency.value)
        gates["latency_p90"] = {"max": f"{_three_digits(limit_ms)} ms"}
    if memory := measures.get("peak_memory"):
        gates["peak_memory"] = {"max": f"{math.ceil(_MARGIN * memory.value / 1e6)} MB"}
    if not is_baseline and (speedup := measures.get("speedup")):
        limit = _SPEEDUP_MARGIN * (speedup.low or speedup.value)
        if limit >= _LEAST_SPEEDUP:
            gates["speedup"] = {"min": _round_down(limit, 2)}
    return gates


def _refuse_worthless(record: Record, name: str, score: Measure, draft: SuiteDraft) -> None:
    """Raise UserError if the score is no better than chance, because a limit would be useless."""
    cause = "model and references belong together (labels, language, encoding)"
    higher_is_better = metric(name).higher_is_better
    if broken := record.evidence.not_finite_outputs:
        reason = f"{broken.count:,} of {broken.of:,} outputs are not finite (NaN or infinite)"
    elif name in draft.chance and (
        score.value <= draft.chance[name] if higher_is_better else score.value >= draft.chance[name]
    ):
        reason = f"and one answer for all samples scores {draft.chance[name]:.4g}"
        cause = (
            "the model was trained for these labels and that id2label has them in the right order"
            if higher_is_better
            else "the model gives numbers on the scale of the data"
        )
    elif name in _CORRELATIONS and (score.value if score.low is None else score.low) <= 0:
        reason = (
            f"whose interval from {score.low or score.value:.3g} contains 0, so outputs and "
            "references may be unrelated"
        )
        cause += ", and that there are enough samples"
    elif score.unit == "points" and (score.value <= 0 if higher_is_better else score.value >= 100):
        reason = "no output is right"
    elif score.value <= _WORTHLESS.get(name, -math.inf):
        reason = "almost no output is right"
        if name == "cosine":
            reason = "the vectors are not those of the baseline"
            cause = "both variants have the same weights and the same pooling"
    else:
        return
    raise UserError(
        f"{variant_name(record)}: {name} is {format_value(score.value, score.unit)}, {reason}, so "
        f"a limit on it would be useless. Check that {cause}, then run init again with --force"
    )


def _with_room(score: Measure) -> Measure:
    """Return an exact score with a tolerance for other kernels instead of its interval."""
    room = 1.0 if score.unit == "points" else 0.01
    return replace(score, low=score.value - room, high=score.value + room)


def _quality_limits(
    score: Measure, difference: Measure | None, higher_is_better: bool
) -> dict[LimitRule, Bound]:
    """Return limits at the worse bounds of the score and of its difference to the baseline."""
    limits: dict[LimitRule, Bound] = {}
    digits, least = (1, 0.1) if score.unit == "points" else (3, 0.005)
    if higher_is_better:
        lowest = _round_down(score.value if score.low is None else score.low, digits)
        if lowest > 0 or score.unit != "points":  # a limit of 0 points cannot be broken
            limits["min"] = lowest
    else:
        limits["max"] = _round_up(score.value if score.high is None else score.high, digits)
    if difference is not None:
        end = difference.low if higher_is_better else difference.high
        worst = difference.value if end is None else end
        loss = _round_up(-worst if higher_is_better else worst, digits)
        limits["max_drop" if higher_is_better else "max_rise"] = max(least, loss)
    return limits


def _loosest(runs: Sequence[Gates]) -> Gates:
    """Return each limit with the loosest bound of all runs."""
    loosest: dict[str, dict[LimitRule, Bound]] = {}
    for gates in runs:
        for measure, limits in gates.items():
            merged = loosest.setdefault(measure, {})
            for rule, bound in limits.items():
                pick = min if rule == "min" else max
                merged[rule] = pick(merged.get(rule, bound), bound, key=_number)
    return loosest


def _number(bound: Bound) -> float:
    """Return the bound without its unit, which is the same in every run."""
    return float(bound.partition(" ")[0]) if isinstance(bound, str) else float(bound)


def _three_digits(value: float) -> str:
    """Return a positive number rounded up to three digits."""
    digits = 2 - math.floor(math.log10(value))
    return f"{_round_up(value, digits):.{max(digits, 0)}f}"


def _round_down(value: float, digits: int) -> float:
    scale: float = 10.0**digits
    return math.floor(round(value * scale, 6)) / scale


def _round_up(value: float, digits: int) -> float:
    scale: float = 10.0**digits
    return math.ceil(round(value * scale, 6)) / scale
