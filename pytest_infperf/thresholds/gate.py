"""A gate: a limit of thresholds.toml on one measure, ready to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_infperf.records.catalogue import LimitRule, MeasureSpec

A_DEFAULT = ", a default"
"""End of the source of a limit that is not written in thresholds.toml."""


@dataclass(frozen=True)
class Limit:
    """One bound on a measure."""

    rule: LimitRule
    value: float
    """Bound in the measure's unit: seconds, bytes, samples/s, points, or a plain ratio."""
    text: str
    """The limit as written in thresholds.toml, such as `max = "300 ms"`."""

    @property
    def is_lower(self) -> bool:
        """Whether the limit bounds the quantity from below."""
        return self.rule in ("min", "min_ratio")


@dataclass(frozen=True)
class Gate:
    """A limit on one measure of one variant, with the policy for judging it."""

    spec: MeasureSpec
    limit: Limit
    source: str
    """File and line of the limit, such as `thresholds.toml:12`."""
    confidence: float
    """Confidence level of the verdict, between 0.5 and 1."""
    inconclusive: Literal["fail", "warn"]
    """Effect of an inconclusive verdict on the test."""
    improvement: str = ""
    """Remedy for a broken limit; empty for the default advice on models."""

    @property
    def measure(self) -> str:
        return self.spec.name
