"""Random times like those of hosts: independent, heavy-tailed, correlated or in bursts.

All have a median near 1. `Series` continues from block to block, like a host.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.float64]
Random = np.random.Generator

_LOG_DEVIATION = 0.25
_SLOW = 1.5
"""Factor of the times in a burst of other work."""
_BURST_SHARE = 0.1
_BURST_QUERIES = 10
TRUTH_DRAWS = 4_000_000


@dataclass(frozen=True)
class Times:
    """A distribution of times, and the dependence of successive times.

    Parameters
    ----------
    kind : {"independent", "heavy", "correlated", "bursts"}
        Lognormal times that are independent; of which 5 % have a long tail; whose logarithms are
        an AR(1) process; or that are 1.5 times as long in bursts, which have 10 queries on average
        and contain 10 % of all queries.
    memory : float
        Autocorrelation of the AR(1) process at lag 1.
    """

    kind: str
    memory: float = 0.0

    def marginal(self, rng: Random, n: int) -> Array:
        """Return n times of the distribution without its dependence."""
        if self.kind == "heavy":
            times = rng.lognormal(0, 0.1, n)
            slow = rng.random(n) < 0.05
            times[slow] *= 1 + 2 * rng.pareto(3, int(slow.sum()))
            return times
        if self.kind == "bursts":
            return rng.lognormal(0, 0.05, n) * np.where(rng.random(n) < _BURST_SHARE, _SLOW, 1.0)
        return rng.lognormal(0, _LOG_DEVIATION, n)

    def percentile(self, p: float) -> float:
        """Return a percentile of the distribution."""
        draws = self.marginal(np.random.default_rng(11), TRUTH_DRAWS)
        return float(np.quantile(draws, p))

    def mean(self) -> float:
        """Return the mean of the distribution."""
        return float(self.marginal(np.random.default_rng(12), TRUTH_DRAWS).mean())


@dataclass
class Series:
    """A series of times that is drawn piece by piece."""

    times: Times
    rng: Random
    _level: float | None = field(default=None, init=False)
    _in_burst: bool = field(default=False, init=False)

    def draw(self, n: int) -> Array:
        """Return the next n times."""
        if self.times.kind == "correlated":
            return np.exp(_LOG_DEVIATION * self._process(n))
        if self.times.kind == "bursts":
            return self.rng.lognormal(0, 0.05, n) * np.where(self._bursts(n), _SLOW, 1.0)
        return self.times.marginal(self.rng, n)

    def _process(self, n: int) -> Array:
        memory = self.times.memory
        if self._level is None:
            self._level = float(self.rng.normal())
        steps = np.sqrt(1 - memory**2) * self.rng.normal(size=n)
        values, _ = signal.lfilter([1], [1, -memory], steps, zi=[memory * self._level])
        self._level = float(values[-1])
        return np.asarray(values, np.float64)

    def _bursts(self, n: int) -> NDArray[np.bool_]:
        if self._level is None:
            self._level, self._in_burst = 0.0, bool(self.rng.random() < _BURST_SHARE)
        states = np.empty(n, dtype=bool)
        filled = 0
        while filled < n:
            mean = _BURST_QUERIES
            if not self._in_burst:
                mean = round(_BURST_QUERIES * (1 - _BURST_SHARE) / _BURST_SHARE)
            length = min(n - filled, int(self.rng.geometric(1 / mean)))
            states[filled : filled + length] = self._in_burst
            filled += length
            # A stretch that is cut off continues, because the geometric distribution has no memory.
            self._in_burst ^= filled < n
        return states
