"""A number that was measured, beside its limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    what: str
    value: float
    unit: str
    limit: float
    at_least: bool = False
    how: str = ""

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "ok  " if self.kept else "MISS"
        return (
            f"{verdict} {self.what}: {self.value:.3g} {self.unit} "
            f"(limit {sign} {self.limit:g} {self.unit}; {self.how})"
        )
