"""Check the section of a suite against the suite and what its tests measure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pytest_infperf.records.catalogue import Catalogue, Method
from pytest_infperf.records.points import parameter_of, point_of
from pytest_infperf.thresholds.location import Location
from pytest_infperf.thresholds.problems import ProblemCollector
from pytest_infperf.thresholds.resolving import resolve
from pytest_infperf.thresholds.sections import Limits, Policy, SuiteSection
from pytest_infperf.thresholds.wording import suggest, toml_string

FASTEST_QUERY_S = 10e-6
"""Lower bound on the time of a model's query, in seconds.

A budget that fits the queries of a percentile only if they are faster is too small.
"""


@dataclass(frozen=True)
class SuiteFacts:
    """What the checks need to know about a collected suite."""

    variants: Sequence[str]
    """Ids of the variants."""
    catalogue: Catalogue
    """Measures that the suite can have."""
    measured_by: Collection[Method]
    """Methods of `variant` that the suite's tests call."""
    baseline: str | None
    """Baseline named by the suite or an option; the file's baseline takes precedence."""
    budget_s: float | None = None
    """Value of --infperf-budget in seconds, which takes precedence over the file's."""
    points: Mapping[Method, Collection[str]] = field(default_factory=dict)
    """Points that the tests ask for, by method; a method that may ask for any is left out."""
    swept_variants: Mapping[str, str] = field(default_factory=dict)
    """Glob over the variants that a sweep is measured for, by the sweep's parameter."""


def check_suite(
    name: str,
    section: SuiteSection,
    facts: SuiteFacts,
    policy: Policy,
    problems: ProblemCollector,
) -> None:
    """Add to `problems` everything in the section of suite `name` that does not fit the suite."""
    suite = Location((name,))
    if section.baseline is not None and section.baseline not in facts.variants:
        problems.add(
            suite.at_key("baseline"),
            f"unknown variant {toml_string(section.baseline)}",
            suggest(section.baseline, facts.variants),
        )
    for variant in section.variants:
        if variant not in facts.variants:
            location = suite.in_table("variants", variant)
            problems.add(location, "unknown variant", suggest(variant, facts.variants))
    baseline = facts.baseline if section.baseline is None else section.baseline
    checker = _GateChecker(suite, facts, policy, baseline, problems)
    for path, gates in section.gate_tables():
        for measure, limits in gates.items():
            location = suite.in_table(*path).at_measure(measure)
            checker.check(location, measure, limits, path[1] if len(path) > 1 else None)


@dataclass(frozen=True)
class _GateChecker:
    suite: Location
    facts: SuiteFacts
    policy: Policy
    baseline: str | None
    problems: ProblemCollector

    def check(self, location: Location, measure: str, limits: Limits, variant: str | None) -> None:
        """Check the limits of a measure, which are for one variant or for all (None)."""
        resolved = resolve(measure, limits, self.facts.catalogue, location, self.problems)
        if resolved is None:
            return
        spec, resolved_limits = resolved
        if spec.method not in self.facts.measured_by:
            self.problems.add(
                location,
                f"no test of this suite measures it: none calls variant.{spec.method}()",
                f"Add a test that calls variant.{spec.method}().check().",
            )
        elif (point := point_of(spec.name)) not in self.facts.points.get(spec.method, (point,)):
            name = parameter_of(point) if spec.method == "sweep" else point
            call = f"variant.{spec.method}({toml_string(name)})"
            self.problems.add(
                location,
                f"no test of this suite measures it: none calls {call}",
                f"Add a test that calls {call}.check().",
            )
        parameter = parameter_of(point_of(spec.name))
        swept = self.facts.swept_variants.get(parameter) if spec.method == "sweep" else None
        if variant is not None and swept is not None and not fnmatchcase(variant, swept):
            self.problems.add(
                location,
                f"the sweep of {parameter} is not measured for this variant, only for {swept}",
                f"Remove the limit, or let the sweep's variants include {toml_string(variant)}.",
            )
        if spec.percentile is not None and spec.method != "load":
            self._check_budget(location, spec.percentile)
        if self.baseline is None:
            for limit in resolved_limits:
                if spec.need_of(limit.rule) == "baseline":
                    self.problems.add(
                        location.at_key(limit.rule),
                        "there is no baseline to compare with",
                        f"Add baseline = {self._first_variant()} to {self.suite}.",
                    )

    def _check_budget(self, location: Location, percentile: float) -> None:
        confidence, budget_s = self.policy.confidence, self._budget_s
        max_queries = budget_s / FASTEST_QUERY_S
        # With fewer than log(2) expected queries above the percentile, the confidence stays below
        # one half.
        if not 0 < percentile < 1 or (1 - percentile) * max_queries < math.log(2):
            self.problems.add(
                location,
                f"no run within the budget of {budget_s:g} s can resolve it",
                f"Raise {self._budget_setting}, or gate a percentile closer to the median.",
            )
            return
        from pytest_infperf.stats.quantile import queries_needed

        queries = queries_needed(percentile, confidence)
        if queries > max_queries:
            needed_s = math.ceil(queries * FASTEST_QUERY_S)
            self.problems.add(
                location,
                f"needs at least {queries} queries at confidence {confidence}, more than a model "
                f"can answer within the budget of {budget_s:g} s",
                f"Raise {self._budget_setting} to {needed_s} or more, or gate a lower percentile.",
            )

    @property
    def _budget_s(self) -> float:
        return self.facts.budget_s or self.policy.budget_s

    @property
    def _budget_setting(self) -> str:
        return "--infperf-budget" if self.facts.budget_s else f"budget_s in {self.suite}"

    def _first_variant(self) -> str:
        return toml_string(next(iter(self.facts.variants), "ID"))
