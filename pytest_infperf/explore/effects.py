"""What each factor does, and each pair of them together, with intervals: least squares.

Response times multiply, so their logarithms are fitted and an effect is a ratio; CPU usage adds up,
and its effect is a difference. An effect is from a factor's lowest level to its highest, the others
in the middle; an interaction is half of what that differs by between the ends of the other factor
(Box, Hunter and Hunter, Statistics for Experimenters, chapter 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pytest_infperf.explore.design import Factor
from pytest_infperf.explore.store import Outcome


@dataclass(frozen=True)
class Effect:
    factors: tuple[str, ...]
    """One, or the two of an interaction."""
    value: float
    """A ratio of response times, or a difference in cores."""
    low: float
    high: float
    is_ratio: bool

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out "no effect"."""
        none = 1.0 if self.is_ratio else 0.0
        return not self.low <= none <= self.high


@dataclass(frozen=True)
class Fit:
    effects: Sequence[Effect]
    """Of the factors, then of pairs where there are trials enough to tell them apart."""
    untold: Sequence[str]
    """Factors of which no effect can be told: no trial was answered at their other levels."""
    explained: float
    """Share of the variance, R squared."""
    n: int


def on_response_time(
    factors: Sequence[Factor], outcomes: Sequence[Outcome], confidence: float
) -> Fit | None:
    """Ratios; None when there are too few outcomes."""
    kept = [outcome for outcome in outcomes if outcome.response_s]
    return _fit(factors, kept, [math.log(o.response_s or 0) for o in kept], confidence, True)


def on_cpu_usage(
    factors: Sequence[Factor], outcomes: Sequence[Outcome], confidence: float
) -> Fit | None:
    """Differences, in cores; None when there are too few outcomes."""
    kept = [outcome for outcome in outcomes if outcome.cores is not None]
    return _fit(factors, kept, [o.cores or 0.0 for o in kept], confidence, False)


def _fit(
    factors: Sequence[Factor],
    outcomes: Sequence[Outcome],
    values: Sequence[float],
    confidence: float,
    is_ratio: bool,
) -> Fit | None:
    import numpy as np
    import statsmodels.api as sm

    coded = {
        factor.name: np.array([factor.coded(o.setting[factor.name]) for o in outcomes])
        for factor in factors
    }
    columns = [np.ones(len(outcomes))]

    def added(terms: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Those that nothing else looks like: in half a design, or after failures, some do."""
        found = []
        for term in terms:
            column = np.prod([coded[name] for name in term], axis=0)
            if np.linalg.matrix_rank(np.column_stack([*columns, column])) == len(columns) + 1:
                found.append(term)
                columns.append(column)
        return found

    names = added([(name,) for name in coded])
    with_pairs = len(columns) + len(coded) * (len(coded) - 1) // 2
    if len(outcomes) > with_pairs:
        names += added(list(combinations(coded, 2)))
    if not names or len(outcomes) <= len(columns):
        return None
    fitted = sm.OLS(np.array(values), np.column_stack(columns)).fit()
    bounds = fitted.conf_int(1 - confidence)
    effects = []
    for i, its in enumerate(names, 1):
        # From -1 to 1 is twice the slope; an interaction is half of such a difference's change.
        low, value, high = (2 * number for number in (bounds[i][0], fitted.params[i], bounds[i][1]))
        if is_ratio:
            low, value, high = math.exp(low), math.exp(value), math.exp(high)
        effects.append(Effect(its, float(value), float(low), float(high), is_ratio))
    untold = [name for name in coded if (name,) not in names]
    return Fit(effects, untold, float(fitted.rsquared), len(outcomes))
