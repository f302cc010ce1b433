"""Looks at the data while measuring, and the confidence of each: measuring stops once one decides.

Every look can err, so the looks share the error: equally, or by a spending function. Boundaries
that use the joint distribution of the looks would spend less of it, but that distribution is not
known. Doubling keeps the looks few, and each adds as much as all earlier ones together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

_NEAR_THE_END = 0.75
"""Share of the time from which a look is left out, because the one at the end follows soon."""
_SPENT_AT_ONCE = 0.8
"""Share of the error that the first look at which a percentile can pass spends."""


def looks(first: int, most: int) -> list[int]:
    """Return the numbers of pairs to look at: doubled from the first, and `most` at the end.

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
        Number of pairs at the first look, which are measured.
    spent_s : float
        Time that they took, in seconds.
    own_s, most_s : float
        Times at which measuring may end, in seconds; the second is not less.
    confidence : float
        Confidence of all looks together, between 0 and 1.

    Returns
    -------
    looks : list of int
        Numbers of pairs to look at, including `first`.
    confidence : float
        Confidence of each look.
    """
    own, most = (max(first, int(first * end_s / spent_s)) for end_s in (own_s, most_s))
    counts = list(dict.fromkeys([*looks(first, own), *looks(own, most)]))
    return counts, look_confidence(confidence, len(counts))


def look_times(first_s: float, own_s: float, most_s: float) -> list[float]:
    """Return the times at which to look: doubled from the first one, and again from `own_s`.

    There is none shortly before `own_s` and `most_s`, as two looks at much the same pairs spend the
    error of two.

    Parameters
    ----------
    first_s : float
        Time of the first look, in seconds.
    own_s, most_s : float
        Times at which measuring may end, in seconds; the second is not less.

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
    """Return the confidence of each look at which a share of the error is spent.

    By a fraction t of the time, the share ln(1 + (e - 1) t) of the error is spent, of which later
    looks get more than an equal part. The looks need no joint distribution, because what each of
    them spends is added up (Bonferroni).

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
    """Return the looks at which a percentile can pass, with the confidence that each needs.

    A look before enough queries are measured cannot pass, and so spends no error. The first look
    that can pass spends most of the error, and the later ones share the rest.

    Parameters
    ----------
    looks : sequence of int
        Planned numbers of queries to look at, increasing.
    needed : callable
        Smallest number of queries that can pass at a confidence, for example `queries_needed` of a
        percentile.
    confidence : float
        Confidence of all looks together, between 0 and 1.

    Returns
    -------
    dict of int to float
        Confidence by number of queries. The first number need not be a planned look. Empty if the
        last look is too early to pass.
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
    """Estimate how many pairs take the interval off the limit, if the estimate stays as it is.

    The width of the interval shrinks with the square root of the number of pairs.

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
