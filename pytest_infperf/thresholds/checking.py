"""What a suite's section asks for, held against what the suite has and its tests measure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pytest_infperf.records.catalogue import Catalogue, Method
from pytest_infperf.thresholds.problems import Findings, Location, nearest, quoted
from pytest_infperf.thresholds.resolving import resolve
from pytest_infperf.thresholds.sections import Limits, Policy, SuiteSection

FASTEST_QUERY_S = 10e-6
"""No query of a model is answered sooner: a budget that needs faster ones is too small."""


@dataclass(frozen=True)
class SuiteFacts:
    """What a collected suite has, as far as gates can be wrong about it."""

    variants: Sequence[str]
    catalogue: Catalogue
    measured_by: Collection[Method]
    """The methods of `variant` that the suite's tests call."""
    baseline: str | None
    """Named outside of the file: by the suite or an option."""
    budget_s: float | None = None
    """Of --infperf-budget, which overrides the file's."""


def check_suite(
    name: str, section: SuiteSection, facts: SuiteFacts, policy: Policy, findings: Findings
) -> None:
    suite = Location((name,))
    if section.baseline is not None and section.baseline not in facts.variants:
        findings.add(
            suite.at("baseline"),
            f"no such variant: {quoted(section.baseline)}",
            nearest(section.baseline, facts.variants),
        )
    for variant in section.variants:
        if variant not in facts.variants:
            location = suite.within("variants", variant)
            findings.add(location, "no such variant", nearest(variant, facts.variants))
    baseline = facts.baseline if section.baseline is None else section.baseline
    gates = _GateChecker(suite, facts, policy, baseline, findings)
    for path, table in section.tables():
        for measure, limits in table.items():
            gates.check(suite.within(*path).of_measure(measure), measure, limits)


@dataclass(frozen=True)
class _GateChecker:
    suite: Location
    facts: SuiteFacts
    policy: Policy
    baseline: str | None
    findings: Findings

    def check(self, location: Location, measure: str, written: Limits) -> None:
        resolved = resolve(measure, written, self.facts.catalogue, location, self.findings)
        if resolved is None:
            return
        spec, limits = resolved
        if spec.method not in self.facts.measured_by:
            self.findings.add(
                location,
                f"no test of this suite measures it: none calls variant.{spec.method}()",
                f"Add a test that calls variant.{spec.method}().check().",
            )
        if spec.percentile is not None and spec.method != "load":
            self._check_budget(location, spec.percentile)
        if self.baseline is None:
            for limit in limits:
                if spec.need_of(limit.rule) == "baseline":
                    self.findings.add(
                        location.at(limit.rule),
                        "there is no baseline to compare with",
                        f"Name one: baseline = {self._first_variant()} below {self.suite}.",
                    )

    def _check_budget(self, location: Location, percentile: float) -> None:
        confidence, budget_s = self.policy.confidence, self._budget_s
        most_queries = budget_s / FASTEST_QUERY_S
        # With fewer than log(2) queries expected over it, not even a confidence of half is reached.
        if not 0 < percentile < 1 or (1 - percentile) * most_queries < math.log(2):
            self.findings.add(
                location,
                f"no run within the budget of {budget_s:g} s can resolve it",
                f"Raise {self._budget_setting}, or gate a percentile nearer to the middle.",
            )
            return
        from pytest_infperf.stats.quantile import queries_needed

        queries = queries_needed(percentile, confidence)
        if queries > most_queries:
            needed_s = math.ceil(queries * FASTEST_QUERY_S)
            self.findings.add(
                location,
                f"takes at least {queries} queries at confidence {confidence}, more than a "
                f"model answers in the budget of {budget_s:g} s",
                f"Raise {self._budget_setting} to {needed_s} or more, or gate a lower percentile.",
            )

    @property
    def _budget_s(self) -> float:
        return self.facts.budget_s or self.policy.budget_s

    @property
    def _budget_setting(self) -> str:
        return "--infperf-budget" if self.facts.budget_s else f"budget_s below {self.suite}"

    def _first_variant(self) -> str:
        return quoted(next(iter(self.facts.variants), "ID"))
