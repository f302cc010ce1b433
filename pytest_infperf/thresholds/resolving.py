"""A gate as it is written -> the measure it is about and its limits in that measure's unit."""

from __future__ import annotations

import json

from pytest_infperf.records.catalogue import UNDER_LOAD, Catalogue, LimitRule, MeasureSpec
from pytest_infperf.records.points import AT, GROWTH, base_of
from pytest_infperf.records.quantity import parse_quantity
from pytest_infperf.thresholds.gate import Limit
from pytest_infperf.thresholds.problems import Findings, Location, described, nearest
from pytest_infperf.thresholds.sections import Bound, Limits, crossed_limits


def resolve(
    measure: str, limits: Limits, catalogue: Catalogue, location: Location, findings: Findings
) -> tuple[MeasureSpec, list[Limit]] | None:
    """The gate at `place`; what is wrong with it is added to the findings and left out."""
    spec = catalogue.get(measure)
    if spec is None:
        _report_unknown(measure, catalogue, location, findings)
        return None
    resolved = []
    for rule, bound in limits.items():
        if rule not in spec.limits:
            findings.add(
                location.at(rule),
                f"{measure} has no such limit, only {' and '.join(spec.limits)}",
                _instead(rule, spec),
            )
            continue
        try:
            value = parse_quantity(bound, unit_of(rule, spec))
        except ValueError as error:
            # Its messages end in what to write, after a semicolon.
            message, _, advice = str(error).rpartition("; ")
            findings.add(location.at(rule), message, f"{advice[:1].upper()}{advice[1:]}.")
        else:
            resolved.append(Limit(rule, value, as_written(rule, bound)))
    for low, high in crossed_limits({limit.rule: limit.value for limit in resolved}):
        findings.add(
            location.at(low),
            f"{described(limits[low])} is over {high} = {described(limits[high])}",
            f"Lower {low} or raise {high}.",
        )
    return spec, resolved


def _report_unknown(
    measure: str, catalogue: Catalogue, location: Location, findings: Findings
) -> None:
    base, _, point = measure.partition(AT)
    if base == GROWTH and not point:
        sweeps = [name for name in catalogue.names() if name.startswith(f"{GROWTH}{AT}")]
        remedy = "Give the suite a sweep: Suite(sweeps=[Sweep(...)])."
        if sweeps:
            remedy = f"Name one of its sweeps: growth.at.{sweeps[0].partition(AT)[2]} = ..."
        findings.add(location, "growth of what", remedy)
    elif base in UNDER_LOAD and not point:
        remedy = "Give the suite one: Suite(loads=[ClosedLoop(4)])."
        if catalogue.loads:
            remedy = f"Name one of its loads: {base}.at.{json.dumps(catalogue.loads[0])} = ..."
        findings.add(location, f"{base} under which load", remedy)
    elif not point or (catalogue.get(base) is None and base not in UNDER_LOAD):
        findings.add(location, "no such measure", nearest(base, map(base_of, catalogue.names())))
    elif point in catalogue.points:
        names = catalogue.measured_at(point)
        findings.add(location, f"{base} is not measured at {point}", nearest(base, names))
    else:
        findings.add(location, "no such point", nearest(point, catalogue.points))


def unit_of(limit: LimitRule, spec: MeasureSpec) -> str:
    return "ratio" if limit.endswith("_ratio") else spec.unit


def as_written(limit: LimitRule, bound: Bound) -> str:
    return f"{limit} = {json.dumps(bound, ensure_ascii=False)}"


def _instead(limit: LimitRule, spec: MeasureSpec) -> str:
    if spec.name == "speedup":
        return "A speedup is already against the baseline: use min."
    if spec.name.startswith("latency_"):
        return "To compare it with the baseline, set the gate speedup = { min = ... }."
    others = [other for other in spec.limits if spec.need_of(other) == "baseline"]
    if others:
        return f"Use {' or '.join(others)}."
    return f"Use {' or '.join(spec.limits)}."
