"""Hosts with random pairs of a known ratio, to count how often a verdict is wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Noise = Literal["normal", "heavy tails", "correlated", "drift", "bursts"]

_T_FREEDOM = 2.5
_T_SCALE = 1.3
"""Deviation of most values of a t distribution with 2.5 degrees of freedom."""
_CORRELATION = 0.5
_DRIFT_OF_SPEED = 0.01
"""Change of the host's speed between the two blocks of a pair, as a log ratio. The order of the two
sides is random."""
_BURST_RATE = 0.1
_BURST = 0.3
"""Mean size of a burst, as a log ratio; it can affect either side."""


@dataclass(frozen=True)
class Host:
    """Variation of the log ratios of pairs, and the time to measure a pair."""

    pair_noise: float
    """Standard deviation of pairs within a pair of processes."""
    process_noise: float
    """Standard deviation between pairs of processes."""
    noise: Noise = "normal"
    pair_s: float = 0.08
    """Measuring time of a pair, in seconds."""
    start_s: float = 0.4
    """Time of starting a pair of processes, in seconds."""

    @property
    def is_usual(self) -> bool:
        """Whether equal code should pass, and a slowdown be found, on this host."""
        return (
            self.pair_noise <= 0.05
            and self.process_noise <= 0.01
            and self.noise in ("normal", "heavy tails")
        )

    def __str__(self) -> str:
        return f"{100 * self.pair_noise:g} %, {100 * self.process_noise:g} %, {self.noise}"


@dataclass
class SimulatedPairs:
    """Pairs of a simulated host, with the interface of `measure.paired.Pairs`."""

    host: Host
    log_ratio: float
    """The true logarithm of the ratio."""
    rng: np.random.Generator
    by_process: list[list[float]] = field(default_factory=lambda: [[]])
    token_ratios: dict[str, list[list[float]]] = field(default_factory=dict)
    seconds: float = 0.0
    start_s: float = field(init=False)
    _offset: float = field(init=False)
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        self.start_s = self.host.start_s
        self._start()

    def measure(self) -> None:
        self.by_process[-1].append(
            self.log_ratio + self._offset + self.host.pair_noise * self._noise()
        )
        self.seconds += self.host.pair_s

    def renew(self) -> None:
        self.by_process.append([])
        self.seconds += self.host.start_s
        self._start()

    def _start(self) -> None:
        self._offset = self.host.process_noise * self.rng.standard_normal()
        self._last = self.rng.standard_normal()

    def _noise(self) -> float:
        """Return the next deviation of a pair, in units of `pair_noise`."""
        value = self.rng.standard_normal()
        match self.host.noise:
            case "heavy tails":
                return self.rng.standard_t(_T_FREEDOM) / _T_SCALE
            case "correlated":
                self._last = _next(self._last, value, _CORRELATION)
                return self._last
            case "drift":
                return (
                    value + float(self.rng.choice((-1, 1))) * _DRIFT_OF_SPEED / self.host.pair_noise
                )
            case "bursts" if self.rng.random() < _BURST_RATE:
                burst = float(self.rng.choice((-1, 1))) * self.rng.exponential(_BURST)
                return value + burst / self.host.pair_noise
        return value


def _next(last: float, value: float, correlation: float) -> float:
    return correlation * last + math.sqrt(1 - correlation**2) * value
