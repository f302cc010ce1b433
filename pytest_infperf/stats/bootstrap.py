"""Intervals of scores and throughputs by resampling the samples or batches behind them.

Scores are functions of statistics summed over samples, so a resample is a row of counts, and all
resamples are one matrix product. Two systems are compared on the same resamples (Koehn 2004,
Statistical Significance Tests for Machine Translation Evaluation). Bounds are the expanded
percentiles of Hesterberg (2015, What Teachers Should Know About the Bootstrap), because the plain
ones are too narrow for the few batches of a throughput.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_infperf.stats import quantile

Statistics = NDArray[np.float64]
"""One row a sample, shape [n, k]."""
Score = Callable[[NDArray[np.float64]], float]
"""Of statistics summed over samples, shape [k]."""
Bounds = tuple[float | None, float | None]

_RATIO_RESAMPLES = 10_000
_RESAMPLES = 1000
_COUNTS_AT_ONCE = 4_000_000
_MOST_RUNS = 500


def interval(
    statistics: Statistics,
    score: Score,
    confidence: float,
    seed: int,
    resamples: int = _RESAMPLES,
) -> Bounds:
    """Bounds of the score; None where there are too few samples for that confidence."""
    totals = _resampled_totals(statistics, seed, resamples)
    return _bounds(np.array([score(row) for row in totals]), len(statistics), confidence)


def paired_difference(
    a_stats: Statistics,
    b_stats: Statistics,
    score: Score,
    confidence: float,
    seed: int,
) -> tuple[float, float | None, float | None]:
    """The score of a minus that of b on the same samples, with its bounds."""
    if a_stats.shape != b_stats.shape:
        raise ValueError(f"not the same samples: {a_stats.shape} and {b_stats.shape}")
    k = a_stats.shape[1]
    totals = _resampled_totals(np.hstack([a_stats, b_stats]), seed, _RESAMPLES)
    differences = np.array([score(row[:k]) - score(row[k:]) for row in totals])
    low, high = _bounds(differences, len(a_stats), confidence)
    difference = score(a_stats.sum(axis=0)) - score(b_stats.sum(axis=0))
    return float(difference), low, high


def ratio_of_sums(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float, seed: int
) -> Bounds:
    """Bounds of a throughput: the samples of all batches over their seconds."""
    batches = np.column_stack([numerators, denominators]).astype(np.float64)
    return interval(batches, lambda sums: sums[0] / sums[1], confidence, seed, _RATIO_RESAMPLES)


def mean(values: Sequence[float], confidence: float, seed: int) -> Bounds:
    """Bounds of the mean of values in the order in which they were measured.

    Many are resampled in runs of neighbours: it takes no longer than for few, and a burst of slow
    ones stays together.
    """
    runs = np.array_split(np.asarray(values, dtype=np.float64), min(len(values), _MOST_RUNS))
    sums, lengths = [float(run.sum()) for run in runs], [float(len(run)) for run in runs]
    return ratio_of_sums(sums, lengths, confidence, seed)


def percentile(values: Sequence[float], p: float, confidence: float, seed: int) -> Bounds:
    """Bounds of a percentile of values in their order in time, which need not be independent.

    Runs of neighbours are resampled, longer ones of longer series (Politis and Romano 1994, "The
    Stationary Bootstrap": the cube root of the length). What so many independent values could not
    bound, these do not either, and the wider of both intervals counts.
    """
    independent = quantile.order_statistic_interval(values, p, confidence)
    n, length = len(values), max(1, round(len(values) ** (1 / 3)))
    if n < 2:
        return independent
    run_of = np.minimum(np.arange(n) // length, n // length - 1)
    order = np.argsort(values, kind="stable")
    ordered, runs_in_order = np.asarray(values, dtype=np.float64)[order], run_of[order]
    rng = np.random.default_rng(seed)
    found = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        counts = _resample_counts(rng, 1, n // length)[0]
        reached = np.cumsum(counts[runs_in_order])
        found[i] = ordered[np.searchsorted(reached, p * reached[-1] - 1e-9)]
    dependent = _bounds(found, n // length, confidence)
    low, high = (
        None if a is None or b is None else wider(a, b)
        for a, b, wider in zip(independent, dependent, (min, max), strict=True)
    )
    return low, high


def _resampled_totals(statistics: Statistics, seed: int, resamples: int) -> Statistics:
    n = len(statistics)
    rng = np.random.default_rng(seed)
    rows = max(1, _COUNTS_AT_ONCE // n)
    parts = [
        _resample_counts(rng, min(rows, resamples - done), n) @ statistics
        for done in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def _resample_counts(rng: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """How often each of n samples is in each resample."""
    drawn = rng.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(float)


def _bounds(scores: NDArray[np.float64], n: int, confidence: float) -> Bounds:
    tail = _expanded_tail(n, confidence)
    if tail * len(scores) < 1:
        return None, None
    low, high = np.quantile(scores, (tail, 1 - tail))
    return float(low), float(high)


def _expanded_tail(n: int, confidence: float) -> float:
    """The normal distribution's tail that Student's t of n samples has at this confidence."""
    if n < 2:
        return 0.0
    t = special.stdtrit(n - 1, (1 - confidence) / 2)
    return float(special.ndtr(t * math.sqrt(n / (n - 1))))
