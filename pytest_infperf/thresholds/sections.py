"""The tables of a thresholds file as dataclasses, not yet checked against the suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from pytest_infperf.records.catalogue import LimitRule
from pytest_infperf.records.points import point_of

SCHEMA = 1

Inconclusive = Literal["fail", "warn"]

Bound = int | float | str
"""Value of a limit as written in the file: a number, or a quantity with its unit."""
Limits = Mapping[LimitRule, Bound]
Gates = Mapping[str, Limits]
"""Limits by the name of the measure: `latency_p90`, or `latency_p90@length=512` at a point."""

LIMIT_RULES: tuple[LimitRule, ...] = get_args(LimitRule)


@dataclass(frozen=True)
class Policy:
    """The policy by which gates are judged."""

    confidence: float = 0.99
    """Confidence level of every verdict, between 0.5 and 1."""
    budget_s: float = 20.0
    """Measuring time of one test of one variant, in seconds."""
    inconclusive: Inconclusive = "fail"
    """Effect of an inconclusive verdict on the test."""


@dataclass(frozen=True)
class PolicyOverrides:
    """The policy settings of one table; None if the table does not contain the setting."""

    confidence: float | None = None
    budget_s: float | None = None
    inconclusive: Inconclusive | None = None

    def settings(self) -> dict[str, Any]:
        """Return the settings that the table contains, by key."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def applied_to(self, policy: Policy) -> Policy:
        return replace(policy, **self.settings())


POLICY_KEYS = tuple(f.name for f in fields(PolicyOverrides))


@dataclass(frozen=True)
class VariantSection:
    """The table `[SUITE.variants.ID]`."""

    gates: Gates = field(default_factory=dict)
    on: Mapping[str, Gates] = field(default_factory=dict)
    """Gates of matching hosts, by a glob over host names; later globs override earlier ones."""


@dataclass(frozen=True)
class SuiteSection:
    """The table `[SUITE]`."""

    baseline: str | None = None
    overrides: PolicyOverrides = field(default_factory=PolicyOverrides)
    gates: Gates = field(default_factory=dict)
    variants: Mapping[str, VariantSection] = field(default_factory=dict)
    imported: bool = False
    """Whether the suite is one of other load generators' results: its limits are applied by
    `infperf judge`, not by pytest."""

    @property
    def has_limits_at_points_only(self) -> bool:
        """Whether there are limits, and each is on a measure at a point."""
        measures = [measure for _, gates in self.gate_tables() for measure in gates]
        return bool(measures) and all(map(point_of, measures))

    def gate_tables(self) -> Iterator[tuple[tuple[str, ...], Gates]]:
        """Yield every table of gates with its path below the suite's table."""
        yield ("gates",), self.gates
        for variant, section in self.variants.items():
            yield ("variants", variant), section.gates
            for glob, gates in section.on.items():
                yield ("variants", variant, "on", glob), gates
