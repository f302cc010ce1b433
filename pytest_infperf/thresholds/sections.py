"""What a thresholds file says, table by table, before it is held against the suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from pytest_infperf.records.catalogue import LimitRule

Inconclusive = Literal["fail", "warn"]

Bound = int | float | str
"""A limit's value as it stands in the file: a number, or a quantity with its unit."""
Limits = Mapping[LimitRule, Bound]
Gates = Mapping[str, Limits]
"""By measure."""

LIMIT_KINDS: tuple[LimitRule, ...] = get_args(LimitRule)
SCHEMA = 1


@dataclass(frozen=True)
class Policy:
    """How gates are judged."""

    confidence: float = 0.99
    budget_s: float = 20.0
    inconclusive: Inconclusive = "fail"


@dataclass(frozen=True)
class PolicyOverrides:
    """What a table says of the policy; None where it says nothing."""

    confidence: float | None = None
    budget_s: float | None = None
    inconclusive: Inconclusive | None = None

    def written(self) -> dict[str, Any]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, policy: Policy) -> Policy:
        return replace(policy, **self.written())


POLICY_KEYS = tuple(f.name for f in fields(PolicyOverrides))


@dataclass(frozen=True)
class VariantSection:
    gates: Gates = field(default_factory=dict)
    on: Mapping[str, Gates] = field(default_factory=dict)
    """By a glob over host names, in the file's order: later ones win."""


@dataclass(frozen=True)
class SuiteSection:
    baseline: str | None = None
    overrides: PolicyOverrides = field(default_factory=PolicyOverrides)
    gates: Gates = field(default_factory=dict)
    variants: Mapping[str, VariantSection] = field(default_factory=dict)

    def tables(self) -> Iterator[tuple[tuple[str, ...], Gates]]:
        """Every table of gates with its path below the suite's."""
        yield ("gates",), self.gates
        for variant, section in self.variants.items():
            yield ("variants", variant), section.gates
            for glob, gates in section.on.items():
                yield ("variants", variant, "on", glob), gates


def crossed_limits(values: Mapping[LimitRule, float]) -> list[tuple[LimitRule, LimitRule]]:
    """The pairs of limits that nothing can meet: the lower one is over the upper one."""
    pairs: list[tuple[LimitRule, LimitRule]] = [("min", "max"), ("min_ratio", "max_ratio")]
    return [
        (low, high)
        for low, high in pairs
        if low in values and high in values and values[low] > values[high]
    ]
