"""The steady state of a series of latencies, without its warm-up and its cool-down.

The method is MSER-5, the marginal standard error rule [1]_ [2]_: of the means of five neighbours
each, the cut that leaves the smallest standard error of the mean of the rest. It is applied from
the front and then, to the rest, from the back. Neither cuts more than half, and neither cuts what
the rest shows as well: the rule alone would cut off a queue by chance at either end of a run, and
the rest would be too fast.

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
"""Minimum number of values to cut from: fewer than ten means do not show a trend."""
_CLEARLY = 2.0
_LEAST_PARTS = 4
"""Minimum number of parts of the rest that a cut is compared with."""


def steady(values: Sequence[float]) -> tuple[int, int]:
    """Return where the steady state begins and ends.

    Parameters
    ----------
    values : sequence of float, shape [n]
        Latencies in the order in which they were measured.

    Returns
    -------
    start : int
        Index of the first value of the steady state.
    end : int
        Index after the last one. A series of fewer than 50 values is steady as a whole.
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
    """Return whether a part is twice as far from the mean as any other part of its length."""
    length = min(len(cut), len(rest) // _LEAST_PARTS)
    sums = np.concatenate([[0.0], np.cumsum(rest)])
    means = (sums[length:] - sums[:-length]) / length
    centre = rest.mean()
    distance = cut[:length].mean() - centre
    return bool(abs(distance) > _CLEARLY * np.abs(means - centre).max())
