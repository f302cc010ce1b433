"""Loads for a server: closed and open loops, and MLPerf's scenarios.

The scenarios are those of MLPerf LoadGen. LoadGen requires at least 60 s and, in the scenario
Server, 270,336 queries. Here, the suite sets the duration, and the record contains the number of
requests. LoadGen sends queries within its own process; here, they are HTTP requests from another
process.

References
----------
Reddi et al. 2020, "MLPerf Inference Benchmark", section IV.
https://github.com/mlcommons/inference, loadgen/README.md.
MLPerf Inference rules, limits on TTFT and TPOT of language models in the scenario Server:
https://github.com/mlcommons/inference_policies/blob/master/inference_rules.adoc
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from pytest_infperf.errors import UserError
from pytest_infperf.records.points import point
from pytest_infperf.suite.bounds import require_above_0, require_whole

HOUR_S = 3600.0
_USUAL_LIMIT_S = 0.25


@dataclass(frozen=True)
class Load:
    """Base class of all loads.

    Parameters
    ----------
    seconds : float, default 10
        Duration, in seconds.
    full_seconds : float, default 3600
        Duration with --infperf-full, in seconds.
    samples : int, default 1
        The number of samples of a request.
    payload : str, default ""
        The form of requests: one of `Serving.payloads`, by its name or class. The name of the load
        then ends with it, as in `users=1:listings`. Empty for the payload of the task.

    Raises
    ------
    UserError
        If a duration is not a finite number above 0, or a request has no sample.
    """

    _: KW_ONLY
    seconds: float = 10.0
    full_seconds: float = HOUR_S
    samples: int = 1
    payload: str = ""

    def __post_init__(self) -> None:
        require_above_0(self, "seconds", "full_seconds")
        require_whole(self, "samples")

    @property
    def name(self) -> str:
        """The name of the load in tests, limits and reports."""
        return self.with_payload(self.kind)

    @property
    def kind(self) -> str:
        """The name of the load without its payload."""
        return type(self).__name__

    def with_payload(self, kind: str) -> str:
        """Return the name of a load of another kind with the same payload."""
        return f"{kind}:{self.payload}" if self.payload else kind

    @property
    def total(self) -> int | None:
        """The number of requests; None for a load with a duration."""
        return None

    def lasts_s(self, full: bool) -> float:
        """Return the duration or, for a number of requests, the time limit, in seconds."""
        return self.full_seconds if full or self.total else self.seconds


@dataclass(frozen=True)
class Counted(Load):
    """Base class of loads that can end after a number of requests."""

    _: KW_ONLY
    requests: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "requests")

    @property
    def total(self) -> int | None:
        return self.requests

    def counted(self, kind: str) -> str:
        """Return the name of the load: its kind and, if given, the number of requests."""
        return kind if self.requests is None else f"{kind}-{self.requests}"


@dataclass(frozen=True)
class ClosedLoop(Counted):
    """Locust users who wait for a response before they send the next request.

    The name of the load is `users=N`.

    Parameters
    ----------
    users : int
        The number of concurrent users.
    spawn_rate : float, optional
        The number of users that start per second; None starts all within the first second.
    generators : int, default 1
        The number of Locust processes that send. One process cannot use more than one core.
    requests : int, optional
        The number of requests, after which the load ends; None sends requests for `seconds`. With
        a number, all responses count, the name ends with the number, as in `users=4-1000`, and
        `full_seconds` is the time limit for all responses.
    seconds, full_seconds, samples, payload
        As for all loads: durations in seconds, and the samples and the form of a request.

    Raises
    ------
    UserError
        If there is no user, no generator or no request, or a number of requests is given for
        several generators.
    """

    users: int
    _: KW_ONLY
    spawn_rate: float | None = None
    generators: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "users", "generators")
        require_above_0(self, "spawn_rate")
        if self.requests is not None and self.generators > 1:
            raise UserError(f"{self.name}: a number of requests requires generators=1")

    @property
    def kind(self) -> str:
        return self.counted(point("users", self.users))


@dataclass(frozen=True)
class OpenLoop(Counted):
    """Requests that arrive as a Poisson process, whether or not earlier ones are answered.

    The name of the load is `rate=N`.

    Parameters
    ----------
    rate : float
        The mean rate of arrivals, in requests per second.
    requests : int, optional
        The number of requests, after which the load ends; None sends requests for `seconds`. With
        a number, all responses count, the name ends with the number, as in `rate=20-1000`, and
        `full_seconds` is the time limit for all responses.
    seconds, full_seconds, samples, payload
        As for all loads: durations in seconds, and the samples and the form of a request.

    Raises
    ------
    UserError
        If the rate is not a finite number above 0, or there is no request.
    """

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_above_0(self, "rate")

    @property
    def kind(self) -> str:
        return self.counted(point("rate", self.rate))


@dataclass(frozen=True)
class Stream(Load):
    """Base class of loads that send the next request of a connection after each response.

    With `requests`, the name of the load contains the number, as in `SingleStream-60x12`, and all
    responses count, including those to the first requests. Such a load repeats the procedure of a
    study.

    Parameters
    ----------
    requests : int, optional
        The number of requests of a repetition; None sends requests for `seconds`. With a number, a
        limit on a percentile does not make the load longer, and `full_seconds` is the time limit
        for all responses.
    repeats : int, default 1
        The number of repetitions, one after another. With several repetitions, the average is the
        mean of their means, with an interval over the repetitions.
    seconds, full_seconds, samples, payload
        As for all loads: durations in seconds, and the samples and the form of a request.

    Raises
    ------
    UserError
        If there is no request or repetition, or `repeats` is given without `requests`.
    """

    _: KW_ONLY
    requests: int | None = None
    repeats: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "requests", "repeats")
        if self.repeats > 1 and self.requests is None:
            raise UserError(
                f"{self.name}: repeats={self.repeats} requires a number of requests: set requests="
            )

    @property
    def kind(self) -> str:
        times = f"x{self.repeats}" if self.repeats > 1 else ""
        return f"{super().kind}-{self.requests}{times}" if self.requests else super().kind

    @property
    def total(self) -> int | None:
        """The number of requests of all repetitions; None if it is not given."""
        return self.requests * self.repeats if self.requests else None


@dataclass(frozen=True)
class SingleStream(Stream):
    """MLPerf's SingleStream: one request after another, judged by the 90th percentile.

    With a number of requests, it repeats the procedure of a study, such as a JMeter thread group
    with one user.

    Parameters
    ----------
    requests : int, optional
        The number of requests of a repetition; None sends requests for `seconds`.
    repeats : int, default 1
        The number of repetitions, one after another.
    seconds, full_seconds, samples, payload
        As for all loads: durations in seconds, and the samples and the form of a request.
    """


@dataclass(frozen=True)
class MultiStream(Stream):
    """MLPerf's MultiStream: one request of eight samples after another, by the 99th percentile.

    Parameters
    ----------
    samples : int, default 8
        The number of samples of a request.
    requests, repeats
        As for `SingleStream`.
    seconds, full_seconds, payload
        As for all loads: durations in seconds, and the form of a request.
    """

    _: KW_ONLY
    samples: int = 8


@dataclass(frozen=True)
class Server(Load):
    """MLPerf's Server: the highest rate of Poisson arrivals that keeps percentiles under limits.

    The rate is found in short trials and then confirmed for `seconds`. With several limits, it is
    the highest rate that keeps all of them. Those on times of tokens require streamed responses.

    Parameters
    ----------
    limit_s : float, optional
        The limit on latency, in seconds; 0.25 if no limit is given.
    ttft_s : float, optional
        The limit on the time to the first token, in seconds, from the intended send time.
    tpot_s : float, optional
        The limit on the time per output token, in seconds.
    itl_s : float, optional
        The limit on the time between two successive tokens, in seconds.
    percentile : float, default 0.99
        The percentile of each limited time that must stay under its limit, as a fraction.
    trial_s : float, default 4
        The minimum duration of the trial of one rate, in seconds.
    precision : float, default 0.1
        The relative precision of the rate at which the search ends.
    seconds, full_seconds, samples, payload
        As for all loads: durations in seconds, and the samples and the form of a request.

    Raises
    ------
    UserError
        If a limit or a duration is not a finite number above 0, or a fraction not below 1.
    """

    _: KW_ONLY
    limit_s: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    itl_s: float | None = None
    percentile: float = 0.99
    trial_s: float = 4.0
    precision: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_above_0(self, "limit_s", "ttft_s", "tpot_s", "itl_s", "trial_s")
        require_above_0(self, "percentile", "precision", below=1)

    @property
    def limits_s(self) -> dict[str, float]:
        """The limits by kind of times (`latency`, `ttft`, `tpot`, `itl`), in seconds."""
        kinds = ("latency", "ttft", "tpot", "itl")
        given = (self.limit_s, self.ttft_s, self.tpot_s, self.itl_s)
        limits_s = {kind: s for kind, s in zip(kinds, given, strict=True) if s is not None}
        return limits_s or {"latency": _USUAL_LIMIT_S}

    @property
    def limits_tokens(self) -> bool:
        """Whether times of tokens are limited."""
        return self.limits_s.keys() != {"latency"}

    @property
    def trial_lasts_s(self) -> float:
        """The minimum duration of a trial, in seconds, to detect a rate that is too high.

        At a rate that is too high by `precision`, the last request waits for that fraction of the
        trial, which must be longer than a limit that includes the wait.
        """
        waits_s = [s for kind, s in self.limits_s.items() if kind in ("latency", "ttft")]
        return max(self.trial_s, min(waits_s, default=0.0) / self.precision)

    @property
    def limit(self) -> str:
        """The limits in words, such as "99th percentile under 0.25 s"."""
        rank = f"{100 * self.percentile:g}th percentile"
        if not self.limits_tokens:
            return f"{rank} under {self.limits_s['latency']:g} s"
        limits = " and ".join(f"{kind} under {s:g} s" for kind, s in self.limits_s.items())
        return f"{rank} of {limits}"


@dataclass(frozen=True)
class Soak(Server):
    """Poisson arrivals at a fraction of the highest rate, long enough to reveal memory growth.

    The name of the load is `soak`.

    Parameters
    ----------
    fraction : float, default 0.8
        The rate of arrivals, as a fraction of the highest rate.
    limit_s, ttft_s, tpot_s, itl_s, percentile, trial_s, precision
        As for `Server`, which finds the highest rate.
    seconds, full_seconds, samples, payload
        As for all loads: durations in seconds, and the samples and the form of a request.
    """

    _: KW_ONLY
    fraction: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_above_0(self, "fraction")

    @property
    def kind(self) -> str:
        return "soak"


@dataclass(frozen=True)
class Offline(Stream):
    """MLPerf's Offline: all samples as fast as the server accepts them, judged by throughput.

    Parameters
    ----------
    samples : int, default 8
        The number of samples of a request.
    connections : int, default 4
        Number of concurrent requests, enough to keep the server busy.
    requests, repeats
        As for `SingleStream`, over all connections.
    seconds, full_seconds, payload
        As for all loads: durations in seconds, and the form of a request.
    """

    _: KW_ONLY
    samples: int = 8
    connections: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, "connections")
