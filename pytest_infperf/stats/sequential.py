"""When to look at the data, and how sure each look must be: measuring stops once it decides.

Every look can err, so the looks share the error between them (Bonferroni; Wald's and the group
sequential boundaries spend it better, but need the looks' joint distribution). Doubling keeps the
looks few, and each sees as many new pairs as all before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_SPENT_AT_ONCE = 0.8


def looks(first: int, most: int) -> list[int]:
    """The numbers of pairs to look at: doubling from the first, and always the most at last."""
    counts = []
    count = first
    while count < most:
        counts.append(count)
        count *= 2
    return [*counts, most]


def plan(first: int, spent_s: float, budget_s: float, confidence: float) -> tuple[list[int], float]:
    """The looks that the budget allows after `first` took `spent_s`, and the confidence of each."""
    counts = looks(first, max(first, int(first * budget_s / spent_s)))
    return counts, look_confidence(confidence, len(counts))


def look_confidence(confidence: float, looks_count: int) -> float:
    """The confidence of each look that leaves all of them together with `confidence`."""
    return 1 - (1 - confidence) / looks_count


def passing_confidences(
    looks: Sequence[int], needed: Callable[[float], int], confidence: float
) -> dict[int, float]:
    """By look the confidence of passing a percentile there, for the looks at which it can.

    `needed` gives the fewest queries that can pass at a confidence. Before there are as many, no
    error can be made and none is spent; at that number, which may be a look of its own, most of it
    is, and the looks after it share the rest. Empty when all of the looks are too early.
    """
    error = 1 - confidence
    last = looks[-1]
    if needed(confidence) > last:
        return {}
    first = max(looks[0], needed(1 - _SPENT_AT_ONCE * error))
    later = [look for look in looks if look > first]
    if not later:
        return {last: confidence}
    rest = 1 - (1 - _SPENT_AT_ONCE) * error / len(later)
    return {first: 1 - _SPENT_AT_ONCE * error, **dict.fromkeys(later, rest)}


def pairs_to_decide(estimate: float, low: float, high: float, limit: float, n: int) -> int | None:
    """About how many pairs take the interval off the limit, if the estimate stays where it is.

    The interval of n pairs shrinks with the square root of their number. None when the estimate
    is the limit, or when the interval has no bound on the limit's side yet.
    """
    gap = abs(estimate - limit)
    half_width = high - estimate if estimate < limit else estimate - low
    if not gap or not math.isfinite(half_width):
        return None
    needed = n * (half_width / gap) ** 2
    return math.ceil(needed) if math.isfinite(needed) else None
