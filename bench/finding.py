"""The result of a benchmark: a measured number and its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_infperf.stats import means

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Finding:
    """A measured number and its limit."""

    quantity: str
    value: float
    unit: str
    """Unit of `value` and of `limit`."""
    limit: float
    at_least: bool = False
    """Whether the limit is a minimum; it is a maximum by default."""
    detail: str = ""
    """How the number was measured: counts, durations, an interval."""

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "ok  " if self.met else "MISS"
        return (
            f"{verdict} {self.quantity}: {self.value:.3g} {self.unit} "
            f"(limit {sign} {self.limit:g} {self.unit}; {self.detail})"
        )


def interval(values: Sequence[float]) -> str:
    """Return the text of the 95 % confidence interval of the mean."""
    bounds = means.mean(values, _CONFIDENCE)
    return ", ".join("?" if bound is None else f"{bound:.3f}" for bound in bounds)
