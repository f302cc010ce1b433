"""The steady state of a series of latencies, without its warm-up and its cool-down.

The method is MSER-5, the marginal standard error rule [1]_ [2]_: the series is divided into means
of five neighbours, and the cut is chosen that minimises the standard error of the mean of the rest.
The rule is applied at the front, and then to the rest at the back. Each cut removes at most half of
the series, and only values unlike the rest. Otherwise the rule would remove a random queue at
either end of a run, and the rest would be too fast.

References
----------
.. [1] White, K. P. (1997). An Effective Truncation Heuristic for Bias Reduction in Simulation
   Output. Simulation 69.
.. [2] White, K. P., Cobb, M. J. and Spratt, S. C. (2000). A Comparison of Five Steady-state
   Truncation Heuristics for Simulation. Winter Simulation Conference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_NEIGHBOURS = 5
_LEAST = 10 * _NEIGHBOURS
"""Minimum number of values of a series that is cut; fewer than ten means show no trend."""
_CLEARLY = 2.0
_LEAST_PARTS = 4
"""Minimum number of parts of the rest with which a cut is compared."""


def steady(values: Sequence[float]) -> tuple[int, int]:
    """Return the begin and the end of the steady state.

    Parameters
    ----------
    values : sequence of float, shape [n]
        Latencies in the order in which they were measured.

    Returns
    -------
    start : int
        Index of the first value of the steady state.
    end : int
        Index after the last value. A series of fewer than 50 values is steady as a whole.
    """
    series = np.asarray(values, dtype=np.float64)
    start = _cut(series)
    return start, len(series) - _cut(series[start:][::-1])


def _cut(series: NDArray[np.float64]) -> int:
    """Return the number of values to cut from the front."""
    if len(series) < _LEAST:
        return 0
    count = len(series) // _NEIGHBOURS
    means = series[: count * _NEIGHBOURS].reshape(count, _NEIGHBOURS).mean(axis=1)
    left = np.arange(count, 0, -1)
    sums, squares = np.cumsum(means[::-1])[::-1], np.cumsum(means[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / left) / left**2
    cut = int(np.argmin(errors[: count // 2 + 1])) * _NEIGHBOURS
    return cut if cut and _is_unlike(series[:cut], series[cut:]) else 0


def _is_unlike(cut: NDArray[np.float64], rest: NDArray[np.float64]) -> bool:
    """Return whether `cut` is twice as far from the mean of `rest` as any equal part of it."""
    length = min(len(cut), len(rest) // _LEAST_PARTS)
    sums = np.concatenate([[0.0], np.cumsum(rest)])
    means = (sums[length:] - sums[:-length]) / length
    centre = rest.mean()
    distance = cut[:length].mean() - centre
    return bool(abs(distance) > _CLEARLY * np.abs(means - centre).max())
