"""Change points of a series: the positions and p-values of changes of its level.

Candidates come from PELT [1]_ with squared error and the penalty of the Bayesian information
criterion, as implemented in ruptures. The noise is estimated from the differences of neighbours; a
change of level affects only one of them. A candidate is kept if a t test with the noise of the
whole series rejects that the two levels are equal.

References
----------
.. [1] Killick, R., Fearnhead, P. and Eckley, I. A. (2012). Optimal Detection of Changepoints with a
   Linear Computational Cost. Journal of the American Statistical Association 107.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEAST_RUNS = 3
"""Minimum number of values of a level; fewer cannot be distinguished from outliers."""
_MAD_TO_DEVIATION = 1.4826
"""Ratio of the standard deviation of a normal distribution to its median absolute deviation."""


@dataclass(frozen=True)
class ChangePoint:
    """A change of level, in the unit of the series."""

    index: int
    """Index of the first value of the new level."""
    before: float
    """Mean of the level that ends."""
    after: float
    """Mean of the level that begins."""
    p_value: float
    """Probability of a difference as large as this between equal levels."""


def change_points(values: Sequence[float], confidence: float) -> list[ChangePoint]:
    """Return the changes of level in the order of the series.

    Parameters
    ----------
    values : sequence of float, shape [n]
        The series; fewer than 6 values have no change points.
    confidence : float
        Confidence that a series without changes has no change point, between 0 and 1. The error is
        divided by n (Bonferroni).

    Returns
    -------
    list of ChangePoint
        Change points whose p-value is at most (1 - confidence) / n.
    """
    import ruptures

    series = np.asarray(values, dtype=np.float64)
    n = series.size
    if n < 2 * LEAST_RUNS or np.ptp(series) == 0:
        return []
    scaled = (series - np.median(series)) / _noise(series)
    search = ruptures.Pelt(model="l2", min_size=LEAST_RUNS, jump=1).fit(scaled.reshape(-1, 1))
    ends = search.predict(pen=3 * math.log(n))
    while True:
        candidates = _tested(series, ends)
        worst = max(candidates, key=lambda point: point.p_value, default=None)
        if worst is None or worst.p_value <= (1 - confidence) / n:
            return candidates
        ends = [end for end in ends if end != worst.index]


def _tested(series: NDArray[np.float64], ends: Sequence[int]) -> list[ChangePoint]:
    """Return the change points between segments with these ends, each with its p-value."""
    starts = [0, *ends[:-1]]
    segments = [series[start:end] for start, end in zip(starts, ends, strict=True)]
    freedom = series.size - len(segments)
    squares = sum(float(((segment - segment.mean()) ** 2).sum()) for segment in segments)
    deviation = math.sqrt(squares / freedom)
    points = []
    for left, right, start in zip(segments, segments[1:], starts[1:], strict=False):
        before, after = float(left.mean()), float(right.mean())
        error = deviation * math.sqrt(1 / left.size + 1 / right.size)
        t = abs(after - before) / error if error else math.inf
        p_value = 2 * float(special.stdtr(freedom, -t)) if math.isfinite(t) else 0.0
        points.append(ChangePoint(start, before, after, p_value))
    return points


def _noise(series: NDArray[np.float64]) -> float:
    """Return the standard deviation of the noise, estimated from differences of neighbours."""
    steps = np.diff(series)
    spread = float(np.median(np.abs(steps - np.median(steps)))) * _MAD_TO_DEVIATION / math.sqrt(2)
    # A series that is mostly constant has no noise; any step is then a change.
    return spread or max(1e-9, 1e-9 * float(np.max(np.abs(series))))
