"""Shapes of load: closed and open loops, and MLPerf's scenarios.

The scenarios are those of MLPerf LoadGen (Reddi et al. 2020, "MLPerf Inference Benchmark", section
IV; github.com/mlcommons/inference, loadgen/README.md). LoadGen asks for at least 60 s and, of
Server, for 270,336 queries; here a run lasts as long as the suite says, and says how many queries
it had. What LoadGen sends in its own process goes through HTTP here, in a process of its own.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from pytest_infperf.errors import UserError
from pytest_infperf.records.points import point

HOUR_S = 3600.0


@dataclass(frozen=True)
class Load:
    """What all loads have."""

    _: KW_ONLY
    seconds: float = 10.0
    full_seconds: float = HOUR_S
    """With --infperf-full."""
    samples: int = 1
    """Of a request."""

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.full_seconds <= 0:
            raise UserError(f"{self.name}: a load lasts longer than 0 s")
        if self.samples < 1:
            raise UserError(f"{self.name}: a request has at least 1 sample")

    @property
    def name(self) -> str:
        """What a test, a limit and a report call it."""
        return type(self).__name__

    def lasts_s(self, full: bool) -> float:
        return self.full_seconds if full else self.seconds


@dataclass(frozen=True)
class ClosedLoop(Load):
    """Users who each wait for an answer before they send again: Locust's."""

    users: int
    _: KW_ONLY
    spawn_rate: float | None = None
    """Users a second at the beginning; None starts all within the first second."""
    generators: int = 1
    """Locust processes that send; one cannot fill more than a core."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.users < 1 or self.generators < 1:
            raise UserError(f"{self.name}: at least 1 user and 1 generator")

    @property
    def name(self) -> str:
        return point("users", self.users)


@dataclass(frozen=True)
class OpenLoop(Load):
    """Requests at random times, whether or not earlier ones are answered: Poisson arrivals."""

    rate: float
    """Requests a second."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate <= 0:
            raise UserError(f"{self.name}: a rate over 0 requests a second")

    @property
    def name(self) -> str:
        return point("rate", self.rate)


@dataclass(frozen=True)
class SingleStream(Load):
    """One request after the other; the 90th percentile of latency counts."""


@dataclass(frozen=True)
class MultiStream(Load):
    """One request of eight samples after the other; the 99th percentile of latency counts."""

    _: KW_ONLY
    samples: int = 8


@dataclass(frozen=True)
class Server(Load):
    """Poisson arrivals at the highest rate of which a percentile stays within a limit."""

    _: KW_ONLY
    limit_s: float = 0.25
    percentile: float = 0.99
    trial_s: float = 4.0
    """Of one rate that is tried, or longer; the rate that is found then lasts `seconds`."""
    precision: float = 0.1
    """Of the rate: the search ends when it is known to this share."""

    @property
    def trial_lasts_s(self) -> float:
        """Long enough for a rate that is too high by the precision: who comes last then waits for
        that share of the trial, and has to wait longer than the limit."""
        return max(self.trial_s, self.limit_s / self.precision)

    @property
    def limit(self) -> str:
        return f"{100 * self.percentile:g}th percentile under {self.limit_s:g} s"


@dataclass(frozen=True)
class Soak(Server):
    """Poisson arrivals at a share of the highest rate, for long: what errors and memory do."""

    _: KW_ONLY
    share: float = 0.8

    @property
    def name(self) -> str:
        return "soak"


@dataclass(frozen=True)
class Offline(Load):
    """All samples as fast as the server takes them; samples a second count."""

    _: KW_ONLY
    samples: int = 8
    connections: int = 4
    """Requests that wait at the server at any time: enough that it never has nothing to do."""
