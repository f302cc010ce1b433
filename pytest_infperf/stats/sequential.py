"""When to look at the data, and how sure each look must be: measuring stops once it decides.

Every look can err, so the looks share the error between them (Bonferroni; Wald's and the group
sequential boundaries spend it better, but need the looks' joint distribution). Doubling keeps the
looks few, and each sees as many new pairs as all before it.
"""

from __future__ import annotations

import math


def looks(first: int, most: int) -> list[int]:
    """The numbers of pairs to look at: doubling from the first, and always the most at last."""
    counts = []
    count = first
    while count < most:
        counts.append(count)
        count *= 2
    return [*counts, most]


def look_confidence(confidence: float, looks_count: int) -> float:
    """The confidence of each look that leaves all of them together with `confidence`."""
    return 1 - (1 - confidence) / looks_count


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
