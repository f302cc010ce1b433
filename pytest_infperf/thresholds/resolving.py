"""Convert the limits of a gate to the unit of their measure."""

from __future__ import annotations

import json

from pytest_infperf.records.catalogue import TEXT_MEASURES, UNDER_LOAD, Catalogue, MeasureSpec
from pytest_infperf.records.points import AT, GROWTH, base_of
from pytest_infperf.records.quantity import parse_quantity
from pytest_infperf.thresholds.crossed_limits import report_crossed_limits
from pytest_infperf.thresholds.gate import Limit
from pytest_infperf.thresholds.location import Location
from pytest_infperf.thresholds.problems import ProblemCollector
from pytest_infperf.thresholds.sections import Limits
from pytest_infperf.thresholds.wording import suggest


def resolve(
    measure: str,
    limits: Limits,
    catalogue: Catalogue,
    location: Location,
    problems: ProblemCollector,
) -> tuple[MeasureSpec, list[Limit]] | None:
    """Return the measure and its limits, or None if the catalogue lacks the measure.

    Limits that the measure cannot have or whose unit does not fit are left out. Every mistake is
    added to `problems`.
    """
    spec = catalogue.get(measure)
    if spec is None:
        _report_unknown_measure(measure, catalogue, location, problems)
        return None
    resolved = []
    for rule, bound in limits.items():
        if rule not in spec.limits:
            problems.add(
                location.at_key(rule),
                f"{measure} has no limit {rule}, only {', '.join(spec.limits)}",
                _alternative(spec),
            )
            continue
        try:
            value = parse_quantity(bound, "ratio" if rule.endswith("_ratio") else spec.unit)
        except ValueError as error:
            # Messages of parse_quantity end with a remedy, after a semicolon.
            message, _, remedy = str(error).rpartition("; ")
            problems.add(location.at_key(rule), message, f"{remedy[:1].upper()}{remedy[1:]}.")
        else:
            text = f"{rule} = {json.dumps(bound, ensure_ascii=False)}"
            resolved.append(Limit(rule, value, text))
    values = {limit.rule: limit.value for limit in resolved}
    report_crossed_limits(limits, values, location, problems)
    return spec, resolved


def _report_unknown_measure(
    measure: str, catalogue: Catalogue, location: Location, problems: ProblemCollector
) -> None:
    base, _, point = measure.partition(AT)
    if base == GROWTH and not point:
        sweeps = [name for name in catalogue.names() if name.startswith(f"{GROWTH}{AT}")]
        remedy = "Add a sweep to the suite: Suite(sweeps=[Sweep(...)])."
        if sweeps:
            remedy = f"Write growth.at.{sweeps[0].partition(AT)[2]} = ..."
        problems.add(location, "needs the name of a sweep", remedy)
    elif base in UNDER_LOAD and not point:
        remedy = "Add a load to the suite: Suite(loads=[ClosedLoop(4)])."
        if catalogue.loads:
            remedy = f"Write {base}.at.{json.dumps(catalogue.loads[0])} = ..."
        problems.add(location, "needs the name of a load", remedy)
    elif base in TEXT_MEASURES and not point:
        remedy = 'Name a text: TextGeneration(perplexity=Perplexity("text.txt")).'
        problems.add(location, "needs a task with a text for perplexity", remedy)
    elif not point or (catalogue.get(base) is None and base not in UNDER_LOAD):
        problems.add(location, "unknown measure", suggest(base, map(base_of, catalogue.names())))
    elif point in catalogue.points:
        names = catalogue.measured_at(point)
        problems.add(location, f"{base} is not measured at {point}", suggest(base, names))
    else:
        problems.add(location, "unknown point", suggest(point, catalogue.points))


def _alternative(spec: MeasureSpec) -> str:
    if spec.name == "speedup":
        return "A speedup is already relative to the baseline: use min."
    if spec.name.startswith("latency_"):
        return "To compare it with the baseline, set the gate speedup = { min = ... }."
    compared = [rule for rule in spec.limits if spec.need_of(rule) == "baseline"]
    return f"Use {' or '.join(compared or spec.limits)}."
