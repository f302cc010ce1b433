"""The settings and the evidence of a record: how a variant was run, and what was observed.

A file leaves out values of None, and has the entries of `more` on the same level as the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from pytest_infperf.records.measure import STRICT, Measure


class Entries:
    """The base of dataclasses from which a record keeps the values that are known."""

    def entries(self) -> dict[str, Any]:
        """Return the values that are not None by name, and the entries of `more`."""
        names = [field.name for field in fields(self) if field.name != "more"]  # type: ignore[arg-type]
        known = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**getattr(self, "more", {}), **known}


@dataclass(frozen=True)
class ServerSettings:
    """How a server was configured under load."""

    __pydantic_config__: ClassVar = STRICT

    workers: int
    """The number of processes that answered."""
    queue: int
    """The maximum number of waiting requests per process."""
    batch: int
    """The maximum number of samples per query."""
    batch_window_ms: float
    """The time for which the first request of a batch waited, in milliseconds."""
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
    """The time for which it takes requests after SIGTERM, in seconds; None if it is not known."""


@dataclass
class VariantSettings(Entries):
    """How a variant was run; values are None if they are not known."""

    __pydantic_config__: ClassVar = STRICT

    threads: int | None = None
    """The number of threads of the worker."""
    decoding: dict[str, int | float | str | bool] | None = None
    """The settings of decoding."""
    cpus: Sequence[int] | None = None
    """The cores that the worker was pinned to; None means the system's choice."""
    model: str | None = None
    """The folder or hub id of the model."""
    model_commit: str | None = None
    """The commit of a model from the hub, which a branch in its id may have left since."""
    recipe: dict[str, Any] | None = None
    """The backend with its optimisations."""
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
    """How the server was configured under load."""
    more: dict[str, Any] = field(default_factory=dict)
    """Settings in files that another version wrote."""


@dataclass(frozen=True)
class RepeatedBlocks:
    """How many blocks other processes disturbed."""

    __pydantic_config__: ClassVar = STRICT

    measured: int
    """The number of blocks or pairs that count."""
    again: int
    """The number of blocks or pairs that were disturbed and measured again."""
    disturbed: int = 0
    """The number of blocks or pairs that count although they were disturbed, as enough were
    measured again or there was no time to. Older files do not have it."""


@dataclass(frozen=True)
class ProcessPrior:
    """What was known of the difference between processes before a ratio was measured."""

    __pydantic_config__: ClassVar = STRICT

    deviation: float
    """The standard deviation of the log ratio of two processes of the same code."""
    processes: float
    """The number of pairs of processes that this knowledge is worth."""
    comparisons: int
    """The number of earlier comparisons on this host that showed it; 0 is the cautious default."""


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
    """Why the other revision could not be measured."""
    contaminated_pairs: RepeatedBlocks | None = None
    """The pairs with the other revision, and how many were disturbed."""
    processes_compared: int | None = None
    """The number of successive processes of each side."""
    prior: ProcessPrior | None = None
    """What was known of the difference between processes."""


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
    """The 99th percentile of latency, in seconds; None without an answer."""
    cpu_s_per_answer: float | None
    """The CPU time per answer, in seconds; None without an answer."""
    slow_host: bool = False
    """Whether the CPU time per answer was over 1.25 times that of the median window."""


@dataclass(frozen=True)
class SteadyPart:
    """The answers that count for latency."""

    __pydantic_config__: ClassVar = STRICT

    first: int
    """The position of the first answer that counts."""
    end: int
    """The position after the last answer that counts."""
    of: int
    """The number of answers."""


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
    """The time from the first request to the last answer, in seconds."""
    timeline: Sequence[LoadWindow]
    """The run window by window; empty if it was short."""
    steady: SteadyPart
    """The answers that count for latency."""
    service_mean_s: float
    """The mean time from sending a request to its answer, in seconds."""
    generator_busy: Sequence[float]
    """The fraction of a core that each generator used."""
    generator_lag_p99_s: float
    """The 99th percentile of the generator's delay in sending, in seconds."""
    cpu_usage_by_window: CpuWindows
    """The CPU usage of the server."""
    energy_source: str | None
    """The source of the energy; None if the energy is not known."""
    died_workers: int
    """The number of the server's worker processes that died, in the runs before the load too."""
    trials: dict[str, bool]
    """Whether each rate met the limit, by rate in requests per second."""
    doubt: str
    """Why the results may be another's than the server's, or no steady ones; empty if not."""
    spoilt_runs: Sequence[str]
    """What was wrong with the generator in earlier runs, which this one replaces."""
    samples_left_out: int = 0
    """The number of samples that were not sent, because the server refuses them by their form."""
    left_out_why: str = ""
    """Why the first of them is refused."""
    repetition_means_s: Sequence[float] = ()
    """The mean latency of each repetition, in seconds; empty for a load without repetitions."""


@dataclass(frozen=True)
class NotFiniteOutputs:
    """Outputs that are not finite: NaN, infinite or missing. They are wrong in every metric."""

    __pydantic_config__: ClassVar = STRICT

    count: int
    """The number of such outputs."""
    of: int
    """The number of outputs that were scored."""
    samples: Sequence[int]
    """The numbers of the first such samples, from 0 in the order of the test data."""


@dataclass
class Evidence(Entries):
    """Observations while a variant was built and measured; None for what was not observed."""

    __pydantic_config__: ClassVar = STRICT

    skipped: str | None = None
    """Why this host cannot run the variant."""
    doubts: list[str] | None = None
    """Reasons why the variant may not be faster than the baseline."""
    host_doubts: list[str] | None = None
    """Reasons why this host may distort what was measured."""
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
    """What was known of the difference between processes."""
    drawn_s: float | None = None
    """Measuring time beyond the test's own budget, which clear tests had left, in seconds."""
    against: AgainstEvidence | None = None
    """The comparison with the other revision."""
    quality_metric: str | None = None
    """The name of the first metric of the task."""
    quality_higher_is_better: bool | None = None
    """Whether a higher value of that metric is better."""
    quality_batch: int | None = None
    """The number of samples of a query when that metric was scored."""
    whole_set: bool | None = None
    """Whether the whole test set was scored, for which a score is exact; its interval is that of
    other samples like these."""
    quality_shares: dict[str, int] | None = None
    """The number of shares of the quality set that each type of node ran."""
    not_finite_outputs: NotFiniteOutputs | None = None
    """The outputs that are not finite."""
    signatures: dict[str, str] | None = None
    """The versions and settings that make scores comparable, by metric."""
    differences: dict[str, Measure] | None = None
    """The differences of scores to the baseline, by metric."""
    protocols: dict[str, str] | None = None
    """The study that each protocol follows, by protocol."""
    loads: dict[str, LoadEvidence] | None = None
    """Observations under each load."""
    advice: str | None = None
    """The reason of a broken advisory limit."""
    more: dict[str, Any] = field(default_factory=dict)
    """The evidence that the backend returned from the build of the artifact."""
