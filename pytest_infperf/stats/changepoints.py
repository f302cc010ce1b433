"""Where the level of a series changed: several times, each with how sure that is.

Candidates are those of PELT (Killick, Fearnhead and Eckley 2012, Optimal detection of changepoints
with a linear computational cost) with squared error and the penalty of the Bayesian information
criterion, as ruptures has it. Noise is estimated from the differences of neighbours, which a change
of level spoils once. A candidate is kept where a t test of the levels beside it, with the noise of
the whole series, rejects their being equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEAST_RUNS = 3
"""Of a level: fewer can't be told from outliers."""
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class ChangePoint:
    index: int
    """The first value of the new level."""
    before: float
    after: float
    p_value: float


def change_points(values: Sequence[float], confidence: float) -> list[ChangePoint]:
    """The changes of level in their order; shape of `values`: [n], at least 6 to find any."""
    import ruptures

    series = np.asarray(values, dtype=np.float64)
    n = series.size
    if n < 2 * LEAST_RUNS or np.ptp(series) == 0:
        return []
    scaled = (series - np.median(series)) / _noise(series)
    search = ruptures.Pelt(model="l2", min_size=LEAST_RUNS, jump=1).fit(scaled.reshape(-1, 1))
    ends = search.predict(pen=3 * math.log(n))
    while True:
        found = _tested(series, ends)
        worst = max(found, key=lambda point: point.p_value, default=None)
        if worst is None or worst.p_value <= (1 - confidence) / n:
            return found
        ends = [end for end in ends if end != worst.index]


def _tested(series: NDArray[np.float64], ends: Sequence[int]) -> list[ChangePoint]:
    starts = [0, *ends[:-1]]
    segments = [series[start:end] for start, end in zip(starts, ends, strict=True)]
    freedom = series.size - len(segments)
    squares = sum(float(((segment - segment.mean()) ** 2).sum()) for segment in segments)
    deviation = math.sqrt(squares / freedom)
    found = []
    for left, right, start in zip(segments, segments[1:], starts[1:], strict=False):
        before, after = float(left.mean()), float(right.mean())
        error = deviation * math.sqrt(1 / left.size + 1 / right.size)
        t = abs(after - before) / error if error else math.inf
        p_value = 2 * float(special.stdtr(freedom, -t)) if math.isfinite(t) else 0.0
        found.append(ChangePoint(start, before, after, p_value))
    return found


def _noise(series: NDArray[np.float64]) -> float:
    steps = np.diff(series)
    spread = float(np.median(np.abs(steps - np.median(steps)))) * _MAD_TO_DEVIATION / math.sqrt(2)
    # A series that mostly stands still has no noise; any step is then a change.
    return spread or max(1e-9, 1e-9 * float(np.max(np.abs(series))))
