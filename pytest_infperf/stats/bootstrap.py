"""Confidence intervals of scores by resampling samples.

For a score that is a function of statistics summed over samples, a resample is a row of counts, and
all resamples are computed by one matrix product. Any other score is computed once per resample.
Two systems are compared on the same resamples [1]_. Bounds are expanded percentiles [2]_, because
plain percentiles are too narrow for few samples.

References
----------
.. [1] Koehn, P. (2004). Statistical Significance Tests for Machine Translation Evaluation. EMNLP.
.. [2] Hesterberg, T. C. (2015). What Teachers Should Know About the Bootstrap: Resampling in the
   Undergraduate Statistics Curriculum. The American Statistician 69.
.. [3] Barker, L. (2002). A Comparison of Nine Confidence Intervals for a Poisson Parameter When the
   Expected Number of Events Is <= 5. The American Statistician 56.
.. [4] Agresti, A. and Coull, B. A. (1998). Approximate Is Better than "Exact" for Interval
   Estimation of Binomial Proportions. The American Statistician 52.
.. [5] Hanley, J. A. and Lippman-Hand, A. (1983). If Nothing Goes Wrong, Is Everything All Right?
   JAMA 249.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

Statistics = NDArray[np.float64]
"""Statistics of samples, one row per sample, shape [n, k]."""
Score = Callable[[NDArray[np.float64]], float]
"""Function from statistics summed over samples, shape [k], to a score."""
Bounds = tuple[float | None, float | None]
"""Lower and upper bound of an interval; None means no bound."""

_RESAMPLES = 1000
SAMPLE_RESAMPLES = 2000
"""Number of resamples of a score that is not a function of sums: 10 lie outside a bound at 99 %."""
_COUNTS_AT_ONCE = 4_000_000
"""Maximum size of a matrix of counts, to limit memory."""


def interval(
    statistics: Statistics,
    score: Score,
    confidence: float,
    seed: int,
    resamples: int = _RESAMPLES,
) -> Bounds:
    """Return the confidence interval of a score.

    Parameters
    ----------
    statistics : array of float, shape [n, k]
        Statistics of each of n samples.
    score : callable
        Score of summed statistics, shape [k].
    confidence : float
        Confidence of the interval, between 0 and 1.
    seed : int
        Seed of the resampling.
    resamples : int
        Number of resamples.

    Returns
    -------
    low, high : float or None
        Bounds in the unit of the score; both None if there are too few samples or resamples for
        this confidence.
    """
    scores = scores_of_sums(statistics, score, seed, resamples)
    return bounds(scores, len(statistics), confidence)


def scores_of_sums(
    statistics: Statistics,
    score: Score,
    seed: int,
    resamples: int = _RESAMPLES,
    added: Statistics | float = 0.0,
) -> NDArray[np.float64]:
    """Return the score of each resample from the summed statistics of its samples.

    The resamples are equal for equal seeds and numbers of samples. The paired bootstrap of Koehn
    (2004) computes the bounds of the differences between two systems' scores.

    Parameters
    ----------
    statistics : array of float, shape [n, k]
        Statistics of each of n samples.
    score : callable
        Score of summed statistics, shape [k].
    seed : int
        Seed of the resampling.
    resamples : int
        Number of resamples.
    added : array of float, shape [k], optional
        Statistics that are added to the sums of each resample, such as `unseen` wrong answers.

    Returns
    -------
    scores : array of float, shape [resamples]
        NaN where the score is not defined.
    """
    totals = _resampled_totals(statistics, seed, resamples)
    return np.array([score(row) for row in totals + added])


def shares(values: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    """Return the fraction of true values in each resample of `scores_of_sums`."""
    totals = _resampled_totals(values[:, None].astype(float), seed, _RESAMPLES)
    return totals[:, 0] / len(values)


def unseen(n: int, confidence: float) -> tuple[float, float]:
    """Return the number of unobserved wrong answers, if n samples contain some and if none.

    Resamples contain only observed answers. The upper bound of a Poisson mean exceeds the same
    quantile of its counts by half of the squared normal quantile [3]_, the number that Agresti and
    Coull add [4]_. If no wrong answer was observed, the bound is the rule of three [5]_.

    Parameters
    ----------
    n : int
        Number of samples.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    added : float
        Number of wrong answers that are added to each resample.
    at_least : float
        Upper bound on the number of wrong answers if none was observed.
    """
    tail = (1 - confidence) / 2
    return float(special.ndtri(tail)) ** 2 / 2, n * (1 - tail ** (1 / n))


def scores_of_samples(
    score: Callable[[NDArray[np.intp]], float], n: int, seed: int
) -> NDArray[np.float64]:
    """Return the score of each of `SAMPLE_RESAMPLES` resamples from its samples.

    The resamples are equal for equal seeds and numbers of samples, as in `scores_of_sums`.

    Parameters
    ----------
    score : callable
        Score of the samples with these indices, shape [n]; indices can be repeated.
    n : int
        Number of samples.
    seed : int
        Seed of the resampling.

    Returns
    -------
    scores : array of float, shape [SAMPLE_RESAMPLES]
        NaN where the score is not defined.
    """
    rng = np.random.default_rng(seed)
    return np.array([score(rng.integers(n, size=n)) for _ in range(SAMPLE_RESAMPLES)])


def bounds(scores: NDArray[np.float64], n: int, confidence: float) -> Bounds:
    """Return the confidence interval of a score, or of a difference of scores, from resamples.

    A score that is not defined, such as the correlation of equal outputs, counts as below the lower
    bound and as above the upper bound. If more scores are undefined than lie outside the interval,
    there is no bound.

    Parameters
    ----------
    scores : array of float, shape [resamples]
        Score of each resample; NaN where it is not defined.
    n : int
        Number of samples.
    confidence : float
        Confidence of the interval, between 0 and 1.

    Returns
    -------
    low, high : float or None
        Bounds in the unit of the score; None if there are too few samples, resamples or defined
        scores for this confidence.
    """
    tail = _expanded_tail(n, confidence)
    if tail * len(scores) < 1:
        return None, None
    if np.isfinite(scores).all():
        low, high = np.quantile(scores, (tail, 1 - tail))
        return float(low), float(high)
    finite = np.isfinite(scores)
    low = np.quantile(np.where(finite, scores, -np.inf), tail, method="lower")
    high = np.quantile(np.where(finite, scores, np.inf), 1 - tail, method="higher")
    return (
        float(low) if math.isfinite(low) else None,
        float(high) if math.isfinite(high) else None,
    )


def _resampled_totals(statistics: Statistics, seed: int, resamples: int) -> Statistics:
    """Return the summed statistics of each resample, shape [resamples, k]."""
    n = len(statistics)
    rng = np.random.default_rng(seed)
    rows = max(1, _COUNTS_AT_ONCE // n)
    parts = [
        _resample_counts(rng, min(rows, resamples - done), n) @ statistics
        for done in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def _resample_counts(rng: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """Return how often each resample contains each of n samples, shape [resamples, n]."""
    drawn = rng.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(float)


def _expanded_tail(n: int, confidence: float) -> float:
    """Return the normal tail at the quantile of Student's t of n samples (Hesterberg 2015)."""
    if n < 2:
        return 0.0
    t = special.stdtrit(n - 1, (1 - confidence) / 2)
    return float(special.ndtr(t * math.sqrt(n / (n - 1))))
