"""Experiments with several factors: their settings, and the order of the trials.

A design is full factorial or, if each factor has two levels, a half fraction with the defining
relation I = ABC...K (Box, Hunter and Hunter, Statistics for Experimenters, chapter 6). In a half
fraction, an effect is confounded only with the interaction of all other factors. Each replicate is
a block in its own random order, so that drift of the host affects all settings equally.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import log, prod
from types import MappingProxyType

from pytest_infperf.errors import UserError

Setting = Mapping[str, float]
"""The level of each factor, by its name."""


@dataclass(frozen=True)
class Factor:
    """A parameter that an experiment varies."""

    name: str
    levels: Sequence[float]
    """Levels in ascending order, at least two; above 0 unless the factor is linear."""
    unit: str = ""
    linear: bool = False
    """Whether levels are coded by their values instead of their logarithms."""

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or sorted(set(self.levels)) != list(self.levels):
            raise UserError(f"{self.name}: two or more levels are required, in ascending order")
        if self.levels[0] <= 0 and not self.linear:
            raise UserError(f"{self.name}: levels must be above 0")

    def coded(self, level: float) -> float:
        """Return -1 for the lowest level, 1 for the highest, and a number in between for others."""
        low, value, high = self.levels[0], level, self.levels[-1]
        if not self.linear:
            low, value, high = log(low), log(value), log(high)
        return 2 * (value - low) / (high - low) - 1


@dataclass(frozen=True)
class Trial:
    """One setting in one replicate."""

    replicate: int
    setting: Setting

    @property
    def key(self) -> str:
        """Identity of the trial in a file of results."""
        levels = (f"{name}={level:g}" for name, level in sorted(self.setting.items()))
        return f"{self.replicate}:{','.join(levels)}"


def trials(
    factors: Sequence[Factor],
    replicates: int,
    seed: int,
    *,
    half: bool = False,
    fixed: Setting = MappingProxyType({}),
) -> list[Trial]:
    """Return all trials in their order.

    `fixed` is part of every setting. `half` selects the half fraction. Raises UserError if the
    design has none.
    """
    settings: list[Setting] = [
        dict(zip([f.name for f in factors], levels, strict=True))
        for levels in product(*(f.levels for f in factors))
    ]
    if half:
        settings = _half(factors, settings)
    rng = random.Random(seed)
    planned = []
    for replicate in range(replicates):
        rng.shuffle(settings)
        planned += [Trial(replicate, {**fixed, **setting}) for setting in settings]
    return planned


def _half(factors: Sequence[Factor], settings: Sequence[Setting]) -> list[Setting]:
    if len(factors) < 3 or any(len(factor.levels) != 2 for factor in factors):
        raise UserError("half a design requires three or more factors, each with two levels")
    return [
        setting
        for setting in settings
        if prod(factor.coded(setting[factor.name]) for factor in factors) > 0
    ]
