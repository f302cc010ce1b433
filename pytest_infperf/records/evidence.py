"""The settings and the evidence of a record.

In a file, values of None are left out, and the entries of `more` are on the same level as the
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from pytest_infperf.records.measure import STRICT, Measure


class Entries:
    """The base of dataclasses of which a record contains only the known values."""

    def entries(self) -> dict[str, Any]:
        """Return the values that are not None by name, and the entries of `more`."""
        names = [field.name for field in fields(self) if field.name != "more"]  # type: ignore[arg-type]
        known = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**getattr(self, "more", {}), **known}


@dataclass(frozen=True)
class ServerSettings:
    """The settings of a server under load."""

    __pydantic_config__: ClassVar = STRICT

    workers: int
    """The number of worker processes."""
    queue: int
    """The maximum number of waiting requests per process."""
    batch: int
    """The maximum number of samples per query."""
    batch_window_ms: float
    """The maximum waiting time of the first request of a batch, in milliseconds."""
    timeout_s: float
    """The time limit of a request, in seconds."""
    max_body_bytes: int
    """The size limit of a request's body, in bytes."""
    threads: int | None
    """The number of threads of each process; None means the runtime's default."""
    server_cpus: Sequence[int]
    """The cores of the server."""
    generator_cpus: Sequence[int]
    """The cores of the load generator."""
    grace_s: float | None = None
    """The time for which requests are accepted after SIGTERM, in seconds; None if unknown."""


@dataclass
class VariantSettings(Entries):
    """The settings of a variant; None if they are not known."""

    __pydantic_config__: ClassVar = STRICT

    threads: int | None = None
    """The number of threads of the worker."""
    decoding: dict[str, int | float | str | bool] | None = None
    """The settings of decoding."""
    cpus: Sequence[int] | None = None
    """The cores to which the worker was pinned; None means the system's choice."""
    model: str | None = None
    """The folder or hub id of the model."""
    model_commit: str | None = None
    """The commit of a model from the hub at the time of the run."""
    recipe: dict[str, Any] | None = None
    """The backend with its optimisations."""
    python: str | None = None
    """The interpreter of the variant as named by the suite; None means that of the run."""
    libraries: dict[str, str] | None = None
    """The versions of Python and of packages in the environment of `python`; None means those of
    the host's fingerprint."""
    baseline: bool | None = None
    """Whether the variant was the baseline."""
    baseline_id: str | None = None
    """The id of the baseline."""
    confidence: float | None = None
    """The confidence of verdicts and intervals."""
    samples: int | None = None
    """The number of samples that were measured and scored."""
    seed: int | None = None
    """The seed of the drawn samples and of the order of measuring."""
    batch: int | None = None
    """The number of samples per query in the measurement of throughput."""
    serving: ServerSettings | None = None
    """The settings of the server under load."""
    more: dict[str, Any] = field(default_factory=dict)
    """Settings in files of other versions."""


@dataclass(frozen=True)
class RepeatedBlocks:
    """The numbers of blocks that were disturbed by other processes."""

    __pydantic_config__: ClassVar = STRICT

    measured: int
    """The number of blocks or pairs that count."""
    again: int
    """The number of blocks or pairs that were disturbed and measured again."""
    disturbed: int = 0
    """The number of disturbed blocks or pairs that count, because too many were measured again
    already or no time was left. Older files do not have it."""


@dataclass(frozen=True)
class ProcessPrior:
    """The prior knowledge of the difference between processes for a paired ratio."""

    __pydantic_config__: ClassVar = STRICT

    deviation: float
    """The standard deviation of the log ratio of two processes of the same code."""
    processes: float
    """The weight of this knowledge, as a number of pairs of processes."""
    comparisons: int
    """The number of earlier comparisons on this host it is based on; 0 for the default."""


@dataclass
class AgainstEvidence(Entries):
    """The comparison with the other revision."""

    __pydantic_config__: ClassVar = STRICT

    name: str
    """The revision as named by the user."""
    commit: str
    """The full id of the commit."""
    only_here: bool
    """Whether only the working tree has the variant."""
    variants_only_there: list[str] | None = None
    """The variants that only the other revision has."""
    measures_only_there: list[str] | None = None
    """The metrics that only the other revision has."""
    changes: dict[str, Measure] | None = None
    """The changes of scores since the other revision, by metric."""
    unable: str | None = None
    """The reason why the other revision could not be measured."""
    contaminated_pairs: RepeatedBlocks | None = None
    """The pairs with the other revision, and how many were disturbed."""
    processes_compared: int | None = None
    """The number of successive processes of each side."""
    prior: ProcessPrior | None = None
    """The prior knowledge of the difference between processes."""


@dataclass(frozen=True)
class LoadWindow:
    """A time window of a run under load."""

    __pydantic_config__: ClassVar = STRICT

    begin_s: float
    """The time since the first request, in seconds."""
    seconds: float
    """The duration, in seconds."""
    answered: int
    """The number of requests that were answered."""
    errors: int
    """The number of requests that failed."""
    latency_p99_s: float | None
    """The 99th percentile of latency, in seconds; None without a response."""
    cpu_s_per_answer: float | None
    """The CPU time per response, in seconds; None without a response."""
    slow_host: bool = False
    """Whether the CPU time per response was over 1.25 times its median over all windows."""


@dataclass(frozen=True)
class SteadyPart:
    """The responses that count for latency."""

    __pydantic_config__: ClassVar = STRICT

    first: int
    """The position of the first response that counts."""
    end: int
    """The position after the last response that counts."""
    of: int
    """The number of responses."""


@dataclass(frozen=True)
class CpuWindows:
    """The CPU usage of a server, window by window."""

    __pydantic_config__: ClassVar = STRICT

    window_s: float
    """The duration of a window, in seconds."""
    mean: float | None
    """The mean of the windows, in cores; None if the run was shorter than a window."""
    max: float | None
    """The maximum of the windows, in cores; None if the run was shorter than a window."""


@dataclass(frozen=True)
class TokenCounts:
    """The tokens of the streamed responses under a load."""

    __pydantic_config__: ClassVar = STRICT

    prompt: int | None
    """The number of tokens of the prompts, by the server's count; None if it did not count them."""
    output: int | None
    """The number of output tokens, by the server's count; None if it did not count them."""
    pieces: int
    """The number of arrivals of output. Tokens that arrive together are one piece."""


@dataclass(frozen=True)
class LoadEvidence:
    """Observations under one load."""

    __pydantic_config__: ClassVar = STRICT

    requests: int
    """The number of requests that were sent."""
    answered: int
    """The number of requests that were answered."""
    errors: dict[str, int]
    """The number of failed requests, by status or error."""
    dropped: int
    """The number of requests that the generator could not send."""
    seconds: float
    """The time from the first request to the last response, in seconds."""
    timeline: Sequence[LoadWindow]
    """The windows of the run; empty if it was short."""
    steady: SteadyPart
    """The responses that count for latency."""
    service_mean_s: float
    """The mean time from sending a request to its response, in seconds."""
    generator_busy: Sequence[float]
    """The fraction of a core that each generator used."""
    generator_lag_p99_s: float
    """The 99th percentile of the generator's delay in sending, in seconds."""
    cpu_usage_by_window: CpuWindows
    """The CPU usage of the server."""
    energy_source: str | None
    """The source of the energy; None if the energy is not known."""
    died_workers: int
    """The number of the server's worker processes that died, including earlier runs."""
    trials: dict[str, bool]
    """Whether each rate met the limit, by rate in requests per second."""
    doubt: str
    """The reason why the results may not describe the server, or its steady state; else empty."""
    spoilt_runs: Sequence[str]
    """The reasons why earlier runs are replaced by this one: a late or busy generator, or undecided
    limits."""
    samples_left_out: int = 0
    """The number of samples that were not sent because they are not valid in a request."""
    left_out_why: str = ""
    """The reason why the first of them is not valid."""
    repetition_means_s: Sequence[float] = ()
    """The mean latency of each repetition, in seconds; empty for a load without repetitions."""
    broken_limits: dict[str, str] = field(default_factory=dict)
    """The limit that each rate broke by the largest factor, such as `ttft`, or `errors` if requests
    failed, by rate in requests per second; 0 is that of requests one after another."""
    tokens: TokenCounts | None = None
    """The generated tokens; None if their times are not known."""
    why_no_tokens: str = ""
    """The reason why times or numbers of tokens are not known although the requests asked for
    streamed responses; empty if they are known, or if the requests did not ask."""

    @property
    def first_broken(self) -> str:
        """The limit that the lowest rate broke, and this rate; empty if none was broken."""
        if not self.broken_limits:
            return ""
        rate, limit = min(self.broken_limits.items(), key=lambda item: float(item[0]))
        where = f"at {rate} requests/s" if float(rate) else "by requests one after another"
        return f"{limit}, {where}"


@dataclass(frozen=True)
class NotFiniteOutputs:
    """Outputs that are not finite: NaN, infinite or missing. Every metric counts them as wrong."""

    __pydantic_config__: ClassVar = STRICT

    count: int
    """The number of such outputs."""
    of: int
    """The number of outputs that were scored."""
    samples: Sequence[int]
    """The numbers of the first such samples, from 0 in the order of the test data."""


@dataclass
class Evidence(Entries):
    """Observations during the build and the measurement of a variant; None if not observed."""

    __pydantic_config__: ClassVar = STRICT

    skipped: str | None = None
    """The reason why this host cannot run the variant."""
    doubts: list[str] | None = None
    """Reasons why the variant may not be faster than the baseline."""
    host_doubts: list[str] | None = None
    """Reasons why this host may distort measurements."""
    thread_search_s: dict[str, float] | None = None
    """The median time of a query with each number of threads, in seconds."""
    latency_percentiles_s: list[float] | None = None
    """The percentiles 0, 1, 2 ... 100 of latency, in seconds."""
    contaminated_blocks: RepeatedBlocks | None = None
    """The blocks of single queries, and how many were disturbed."""
    contaminated_pairs: RepeatedBlocks | None = None
    """The pairs with the baseline, and how many were disturbed."""
    processes_compared: int | None = None
    """The number of successive processes of each side."""
    prior: ProcessPrior | None = None
    """The prior knowledge of the difference between processes."""
    drawn_s: float | None = None
    """Measuring time beyond the test's own budget, from unused time of other tests, in seconds."""
    against: AgainstEvidence | None = None
    """The comparison with the other revision."""
    quality_metric: str | None = None
    """The name of the first metric of the task."""
    quality_higher_is_better: bool | None = None
    """Whether a higher value of that metric is better."""
    quality_batch: int | None = None
    """The number of samples per query when that metric was scored."""
    whole_set: bool | None = None
    """Whether the whole test set was scored, so that the score is exact; its interval applies to
    other samples of the same kind."""
    quality_parts: dict[str, int] | None = None
    """The number of parts of the quality set that each node type ran."""
    not_finite_outputs: NotFiniteOutputs | None = None
    """The outputs that are not finite."""
    signatures: dict[str, str] | None = None
    """The versions and settings that make scores comparable, by metric."""
    differences: dict[str, Measure] | None = None
    """The differences of scores from the baseline, by metric."""
    protocols: dict[str, str] | None = None
    """The study of each protocol, by protocol."""
    loads: dict[str, LoadEvidence] | None = None
    """Observations under each load."""
    advice: str | None = None
    """The sentence about a broken advisory limit."""
    more: dict[str, Any] = field(default_factory=dict)
    """The evidence that the backend returned from the build."""
