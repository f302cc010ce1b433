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

FASTEST_QUERY_S = 100e-6
"""Lower bound on the time of a model's query, in seconds.

A budget is too small for a percentile if its queries would have to be faster than this. A larger
budget costs nothing if queries are fast, because measuring ends once the limits are decided.
"""
_LONGEST_S = 86_400.0


@dataclass(frozen=True)
class SuiteFacts:
    """The facts about a collected suite that the checks need."""

    variants: Sequence[str]
    """Ids of the variants."""
    catalogue: Catalogue
    """Measures that the suite can have."""
    measured_by: Collection[Method]
    """Methods of `variant` that the suite's tests call."""
    baseline: str | None
    """Baseline set by an option, or else by the suite; one in the file overrides the suite's."""
    baseline_from_option: bool = False
    """Whether an option sets the baseline; its limits relative to a baseline are then left out."""
    against_revision: bool = False
    """Whether --infperf-against compares latencies with another revision."""
    budget_s: float | None = None
    """Measuring time of a test set by an option, in seconds; overrides the file's."""
    time_s: float | None = None
    """Value of --infperf-time in seconds, if `budget_s` is a part of it."""
    requests_at: Mapping[str, int] = field(default_factory=dict)
    """Number of single requests at each point where it is fixed, such as a protocol."""
    points: Mapping[Method, Collection[str]] = field(default_factory=dict)
    """Points that the tests measure, by method; methods that may measure any point are left out."""
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
    from_file = None if facts.baseline_from_option else section.baseline
    baseline = facts.baseline if from_file is None else from_file
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
        """Check the limits of a measure for one variant, or for all variants (None)."""
        resolved = resolve(measure, limits, self.facts.catalogue, location, self.problems)
        if resolved is None:
            return
        spec, resolved_limits = resolved
        variants = self.facts.variants if variant is None else [variant]
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
                f"Remove the limit, or add {toml_string(variant)} to the sweep's variants.",
            )
        requests = self.facts.requests_at.get(point_of(measure))
        if spec.percentile is not None and (spec.method != "load" or requests):
            queries = self._queries_needed(spec.percentile)
            # Pairs with the baseline and with the other revision get equal parts of the budget.
            compared = self._compared(variants) + self.facts.against_revision
            share = 1 / (1 + compared) if spec.method == "latency" else 1.0
            if requests is None:
                self._check_budget(location, queries, share)
            elif queries > requests:
                self.problems.add(
                    location,
                    f"{self._needs(queries)}, and {point_of(measure)} has {requests}",
                    "Gate a lower percentile.",
                )
        for limit in resolved_limits:
            if spec.need_of(limit.rule) == "baseline":
                self._check_baseline(location.at_key(limit.rule), variants)

    def _compared(self, variants: Collection[str]) -> bool:
        """Return whether one of these variants is compared with the baseline."""
        return self.baseline is not None and set(variants) != {self.baseline}

    def _check_baseline(self, location: Location, variants: Collection[str]) -> None:
        if self.baseline is None:
            self.problems.add(
                location,
                "there is no baseline to compare with",
                f"Add baseline = {self._first_variant()} to {self.suite}.",
            )
        elif not self._compared(variants) and not self.facts.baseline_from_option:
            self.problems.add(
                location,
                f"{toml_string(self.baseline)} is the baseline itself, so the limit judges nothing",
                "Move the limit to another variant, or remove it.",
            )

    def _queries_needed(self, percentile: float) -> float:
        from pytest_infperf.stats.quantile import queries_needed

        # A percentile that rounds to 1 as a float would need infinitely many queries.
        is_finite = 0 < percentile < 1
        return queries_needed(percentile, self.policy.confidence) if is_finite else math.inf

    def _needs(self, queries: float) -> str:
        return f"needs at least {queries} queries at confidence {self.policy.confidence}"

    def _check_budget(self, location: Location, queries: float, share: float) -> None:
        needed_s = queries * FASTEST_QUERY_S / share
        if needed_s > _LONGEST_S:
            self.problems.add(
                location,
                "no run of reasonable length can resolve it",
                "Gate a percentile closer to the median.",
            )
        elif needed_s > self._budget_s:
            part = "" if share == 1 else f" ({share:.0%} of it; pairs use the rest)"
            self.problems.add(
                location,
                f"{self._needs(queries)}, more than a model can process within the budget of "
                f"{self._budget_s:g} s{part}",
                f"Raise {self._raised_to(needed_s)} or more, or gate a lower percentile.",
            )

    @property
    def _budget_s(self) -> float:
        return self.facts.budget_s or self.policy.budget_s

    def _raised_to(self, needed_s: float) -> str:
        if self.facts.time_s:
            time_s = self.facts.time_s * needed_s / self._budget_s
            return f"--infperf-time to {math.ceil(time_s)}s"
        setting = "--infperf-budget" if self.facts.budget_s else f"budget_s in {self.suite}"
        return f"{setting} to {math.ceil(needed_s)}"

    def _first_variant(self) -> str:
        return toml_string(next(iter(self.facts.variants), "ID"))
