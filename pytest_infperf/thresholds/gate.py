"""A limit of thresholds.toml on one measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_infperf.records.catalogue import LimitRule, MeasureSpec


@dataclass(frozen=True)
class Limit:
    rule: LimitRule
    value: float
    """In the measure's unit: seconds, bytes, samples/s, points, or a plain ratio."""
    text: str
    """The limit as written in thresholds.toml, such as `max = "300 ms"`."""

    @property
    def is_lower(self) -> bool:
        """Whether the limit bounds the quantity from below."""
        return self.rule in ("min", "min_ratio")


@dataclass(frozen=True)
class Gate:
    spec: MeasureSpec
    limit: Limit
    source: str
    """File and line, such as `thresholds.toml:12`."""
    confidence: float
    inconclusive: Literal["fail", "warn"]

    @property
    def measure(self) -> str:
        return self.spec.name
