"""Looks at the data during a measurement, and their confidence. Measuring ends when a look decides.

Every look can give a wrong result, so the error is shared by the looks: equally, or by a spending
function. Boundaries from the joint distribution of the looks would be less strict, but this
distribution is not known. The amount of data doubles from look to look, so there are few looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

_NEAR_THE_END = 0.75
"""Share of the time after which there is no look except the one at the end."""
_SPENT_AT_ONCE = 0.8
"""Share of the error for the first look at which a percentile can pass."""


def looks(first: int, most: int) -> list[int]:
    """Return the numbers of pairs at which to look: doubled from `first`, and `most` at the end.

    Parameters
    ----------
    first : int
        Number of pairs at the first look.
    most : int
        Number of pairs at the last look.

    Returns
    -------
    list of int
        Increasing numbers of pairs.
    """
    counts = []
    count = first
    while count < most:
        counts.append(count)
        count *= 2
    return [*counts, most]


def plan(
    first: int, spent_s: float, own_s: float, most_s: float, confidence: float
) -> tuple[list[int], float]:
    """Return the looks that a budget allows, and the confidence of each.

    Parameters
    ----------
    first : int
        Number of pairs at the first look, which have been measured.
    spent_s : float
        Measuring time of these pairs, in seconds.
    own_s, most_s : float
        Times at which measuring may end, in seconds; `most_s` is at least `own_s`.
    confidence : float
        Confidence of all looks together, between 0 and 1.

    Returns
    -------
    looks : list of int
        Numbers of pairs at which to look, including `first`.
    confidence : float
        Confidence of each look.
    """
    own, most = (max(first, int(first * end_s / spent_s)) for end_s in (own_s, most_s))
    counts = list(dict.fromkeys([*looks(first, own), *looks(own, most)]))
    return counts, look_confidence(confidence, len(counts))


def look_times(first_s: float, own_s: float, most_s: float) -> list[float]:
    """Return the times at which to look: doubled from `first_s`, and again from `own_s`.

    There is no look shortly before `own_s` and `most_s`, because two looks at almost the same pairs
    would use the error of two.

    Parameters
    ----------
    first_s : float
        Time of the first look, in seconds.
    own_s, most_s : float
        Times at which measuring may end, in seconds; `most_s` is at least `own_s`.

    Returns
    -------
    list of float
        Increasing times, in seconds: the first, and those up to `most_s`.
    """
    times = [first_s]
    for end_s in (own_s, most_s):
        while 2 * times[-1] <= _NEAR_THE_END * end_s:
            times.append(2 * times[-1])
        if times[-1] < end_s:
            times.append(end_s)
    return times


def look_confidence(confidence: float, looks_count: int) -> float:
    """Return the confidence that each look needs (Bonferroni).

    Parameters
    ----------
    confidence : float
        Confidence of all looks together, between 0 and 1.
    looks_count : int
        Number of looks.

    Returns
    -------
    float
        Confidence of each look.
    """
    return 1 - (1 - confidence) / looks_count


def spending_confidences(times: Sequence[float], confidence: float) -> list[float]:
    """Return the confidence of each look by a spending function.

    Until a fraction t of the time, the share ln(1 + (e - 1) t) of the error is spent. The joint
    distribution of the looks is not needed, because their errors are added (Bonferroni).

    Parameters
    ----------
    times : sequence of float
        Increasing times of the looks.
    confidence : float
        Confidence of all looks together, between 0 and 1.

    Returns
    -------
    list of float
        Confidence of each look.

    References
    ----------
    Lan, K. K. G. and DeMets, D. L. (1983). Discrete Sequential Boundaries for Clinical Trials.
    Biometrika 70(3). The function is their second one, close to Pocock's boundary.
    """
    spent = [math.log1p((math.e - 1) * time / times[-1]) for time in times]
    shares = [share - before for before, share in pairwise([0.0, *spent])]
    return [1 - (1 - confidence) * share for share in shares]


def passing_confidences(
    looks: Sequence[int], needed: Callable[[float], int], confidence: float
) -> dict[int, float]:
    """Return the looks at which a percentile can pass, with the confidence of each.

    A look with too few queries cannot pass and therefore spends no error. The first look that can
    pass spends most of the error, and the later looks share the rest.

    Parameters
    ----------
    looks : sequence of int
        Planned numbers of queries at which to look, increasing.
    needed : callable
        Returns the smallest number of queries that can pass at a confidence, for example
        `queries_needed` of a percentile.
    confidence : float
        Confidence of all looks together, between 0 and 1.

    Returns
    -------
    dict of int to float
        Confidence by number of queries. The first number may differ from the planned looks. Empty
        if the last look has too few queries to pass.
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
    """Estimate the number of pairs after which the interval excludes the limit.

    The estimate is assumed to stay the same, and the width of the interval to shrink with the
    square root of the number of pairs.

    Parameters
    ----------
    estimate, low, high : float
        Estimate and bounds of its interval after n pairs; an infinite one means no bound.
    limit : float
        The limit, in the same unit.
    n : int
        Number of pairs.

    Returns
    -------
    int or None
        Number of pairs; None if the estimate equals the limit, or if the interval has no bound on
        the side of the limit.
    """
    gap = abs(estimate - limit)
    half_width = high - estimate if estimate < limit else estimate - low
    if not gap or not math.isfinite(half_width):
        return None
    needed = n * (half_width / gap) ** 2
    return math.ceil(needed) if math.isfinite(needed) else None
