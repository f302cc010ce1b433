"""Experiments with several factors: which settings are tried, and in which order.

Full factorial, or of factors with two levels a half fraction with the defining relation
I = ABC...K (Box, Hunter and Hunter, Statistics for Experimenters, chapter 6): an effect is then
mixed up with the interaction of all other factors only. Each replicate is a block of its own in
random order, so that a host that drifts disturbs all settings alike.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import log, prod

from pytest_infperf.errors import UserError

Setting = Mapping[str, float]
"""A level of each factor."""


@dataclass(frozen=True)
class Factor:
    name: str
    levels: Sequence[float]
    """Ascending, at least two."""
    unit: str = ""

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or sorted(set(self.levels)) != list(self.levels):
            raise UserError(f"{self.name}: two levels or more, in ascending order")
        if self.levels[0] <= 0:
            raise UserError(f"{self.name}: levels over 0")

    def coded(self, level: float) -> float:
        """-1 at the lowest level, 1 at the highest, in between by the logarithm."""
        low, high = log(self.levels[0]), log(self.levels[-1])
        return 2 * (log(level) - low) / (high - low) - 1


@dataclass(frozen=True)
class Trial:
    """One setting to be tried in one replicate."""

    replicate: int
    setting: Setting

    @property
    def key(self) -> str:
        named = ",".join(f"{name}={level:g}" for name, level in sorted(self.setting.items()))
        return f"{self.replicate}:{named}"


def trials(
    factors: Sequence[Factor], replicates: int, seed: int, *, half: bool = False
) -> list[Trial]:
    """In the order in which they are to be run."""
    settings: list[Setting] = [
        dict(zip([f.name for f in factors], levels, strict=True))
        for levels in product(*(f.levels for f in factors))
    ]
    if half:
        settings = _half(factors, settings)
    rng = random.Random(seed)
    found = []
    for replicate in range(replicates):
        rng.shuffle(settings)
        found += [Trial(replicate, dict(setting)) for setting in settings]
    return found


def _half(factors: Sequence[Factor], settings: Sequence[Setting]) -> list[Setting]:
    if len(factors) < 3 or any(len(factor.levels) != 2 for factor in factors):
        raise UserError("half a design takes three factors or more, each with two levels")
    return [
        setting
        for setting in settings
        if prod(factor.coded(setting[factor.name]) for factor in factors) > 0
    ]
