"""Effects of each factor and of each pair of factors, with intervals, by least squares.

Effects on response time and energy are multiplicative: their logarithms are fitted, and an effect
is a ratio. Effects on CPU usage are additive, and an effect is a difference. An effect is the
change from a factor's lowest level to its highest, with the other factors in the middle. An
interaction is half of the change of that effect between the ends of the other factor (Box, Hunter
and Hunter, Statistics for Experimenters, chapter 5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from pytest_infperf.explore.design import Factor
from pytest_infperf.explore.store import Outcome


@dataclass(frozen=True)
class Effect:
    """The estimated effect of one factor, or the interaction of two."""

    factors: tuple[str, ...]
    """Names of the one or two factors."""
    value: float
    """Ratio of response times or energy, or difference of CPU usage in cores."""
    low: float
    """Lower bound of the interval, in the unit of `value`."""
    high: float
    """Upper bound of the interval, in the unit of `value`."""
    is_ratio: bool

    @property
    def is_significant(self) -> bool:
        """Whether the interval excludes "no effect"."""
        no_effect = 1.0 if self.is_ratio else 0.0
        return not self.low <= no_effect <= self.high


@dataclass(frozen=True)
class EffectEstimates:
    """All effects on one response."""

    effects: Sequence[Effect]
    """Effects of the factors, then of pairs if there are enough trials to tell them apart."""
    not_estimable: Sequence[str]
    """Factors without an effect, because trials were answered at one of their levels only."""
    r_squared: float
    """Fraction of the variance that the effects explain."""
    n: int
    """Number of trials."""


def effects_on(
    value_of: Callable[[Outcome], float | None],
    factors: Sequence[Factor],
    outcomes: Sequence[Outcome],
    confidence: float,
) -> EffectEstimates | None:
    """Return effects on a positive response as ratios; None if outcomes are too few.

    Outcomes without a value, or with 0, are omitted.
    """
    values = [(outcome, value) for outcome in outcomes if (value := value_of(outcome))]
    logs = [math.log(value) for _, value in values]
    return _estimate(factors, [outcome for outcome, _ in values], logs, confidence, is_ratio=True)


def response_time_effects(
    factors: Sequence[Factor], outcomes: Sequence[Outcome], confidence: float
) -> EffectEstimates | None:
    """Return effects on the average response time as ratios; None if outcomes are too few."""
    return effects_on(lambda outcome: outcome.response_s, factors, outcomes, confidence)


def cpu_usage_effects(
    factors: Sequence[Factor], outcomes: Sequence[Outcome], confidence: float
) -> EffectEstimates | None:
    """Return effects on CPU usage as differences in cores; None if outcomes are too few."""
    answered = [outcome for outcome in outcomes if outcome.cores is not None]
    cores = [outcome.cores or 0.0 for outcome in answered]
    return _estimate(factors, answered, cores, confidence, is_ratio=False)


def _estimate(
    factors: Sequence[Factor],
    outcomes: Sequence[Outcome],
    values: Sequence[float],
    confidence: float,
    *,
    is_ratio: bool,
) -> EffectEstimates | None:
    import numpy as np
    import statsmodels.api as sm

    coded = {
        factor.name: np.array([factor.coded(o.setting[factor.name]) for o in outcomes])
        for factor in factors
    }
    columns = [np.ones(len(outcomes))]

    def add_independent(terms: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Add and return the terms whose columns are linearly independent of the previous ones.

        In a half fraction, or after failures, some columns are dependent.
        """
        added = []
        for term in terms:
            column = np.prod([coded[name] for name in term], axis=0)
            if np.linalg.matrix_rank(np.column_stack([*columns, column])) == len(columns) + 1:
                added.append(term)
                columns.append(column)
        return added

    terms = add_independent([(name,) for name in coded])
    columns_with_pairs = len(columns) + len(coded) * (len(coded) - 1) // 2
    if len(outcomes) > columns_with_pairs:
        terms += add_independent(list(combinations(coded, 2)))
    if not terms or len(outcomes) <= len(columns):
        return None
    fit = sm.OLS(np.array(values), np.column_stack(columns)).fit()
    bounds = fit.conf_int(1 - confidence)
    effects = []
    for i, term in enumerate(terms, 1):
        # From -1 to 1 is twice the slope; an interaction is half of such a difference's change.
        low, value, high = (2 * number for number in (bounds[i][0], fit.params[i], bounds[i][1]))
        if is_ratio:
            low, value, high = math.exp(low), math.exp(value), math.exp(high)
        effects.append(Effect(term, float(value), float(low), float(high), is_ratio))
    not_estimable = [name for name in coded if (name,) not in terms]
    return EffectEstimates(effects, not_estimable, float(fit.rsquared), len(outcomes))
