"""The steady state of a series of latencies, without its warm-up and its cool-down.

The method is MSER-5, the marginal standard error rule [1]_ [2]_: of the means of five neighbours
each, the cut that leaves the smallest standard error of the mean of the rest. It is applied from
the front and then, to the rest, from the back. Neither cuts more than half.

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
    return int(np.argmin(errors[: count // 2 + 1])) * _NEIGHBOURS
