"""The steady part of a series of latencies: without its warm-up and its cool-down.

The marginal standard error rule, MSER-5 (White 1997, "An effective truncation heuristic for bias
reduction in simulation output"; White, Cobb and Spratt 2000): means of five neighbours each, and
the cut that leaves the mean of the rest with the least standard error. It is applied from the front
and, on what that leaves, from the back; neither cuts more than half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_NEIGHBOURS = 5
_LEAST = 10 * _NEIGHBOURS
"""Of fewer values nothing is cut: ten means say nothing of a trend."""


def steady(values: Sequence[float]) -> tuple[int, int]:
    """The first index of the steady part, and the one after its last."""
    series = np.asarray(values, dtype=np.float64)
    start = _cut(series)
    return start, len(series) - _cut(series[start:][::-1])


def _cut(series: NDArray[np.float64]) -> int:
    if len(series) < _LEAST:
        return 0
    count = len(series) // _NEIGHBOURS
    means = series[: count * _NEIGHBOURS].reshape(count, _NEIGHBOURS).mean(axis=1)
    left = np.arange(count, 0, -1)
    sums, squares = np.cumsum(means[::-1])[::-1], np.cumsum(means[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / left) / left**2
    return int(np.argmin(errors[: count // 2 + 1])) * _NEIGHBOURS
