"""What a record keeps beside measures: how a variant was run, and what was seen meanwhile.

In a file, a value of None is left out, and the entries of `more` stand beside the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from pytest_infperf.records.measure import STRICT, Measure


class Entries:
    """The base of dataclasses of which a record keeps what is known."""

    def entries(self) -> dict[str, Any]:
        """Return the values that are not None by name, and the entries of `more`."""
        names = [each.name for each in fields(self) if each.name != "more"]  # type: ignore[arg-type]
        known = {name: value for name in names if (value := getattr(self, name)) is not None}
        return {**getattr(self, "more", {}), **known}


@dataclass(frozen=True)
class ServerSettings:
    """How a server was configured under load."""

    __pydantic_config__: ClassVar = STRICT

    workers: int
    """The number of processes that answered."""
    queue: int
    """The number of requests that could wait in a process."""
    batch: int
    """The number of samples of a query at most."""
    batch_window_ms: float
    """The time for which the first request of a batch waited, in milliseconds."""
    timeout_s: float
    """The time limit of a request, in seconds."""
    max_body_bytes: int
    """The size limit of a request's body, in bytes."""
    threads: int | None
    """The number of threads of each process; None is the runtime's default."""
    server_cpus: Sequence[int]
    """The cores of the server."""
    generator_cpus: Sequence[int]
    """The cores of the load generator."""


@dataclass
class VariantSettings(Entries):
    """How a variant was run; None where it was not run."""

    __pydantic_config__: ClassVar = STRICT

    threads: int | None = None
    """The number of threads of the worker."""
    decoding: dict[str, int | float | str | bool] | None = None
    """How outputs were produced."""
    cpus: Sequence[int] | None = None
    """The cores that the worker was pinned to; None is the system's choice."""
    model: str | None = None
    """The folder or hub id of the model."""
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
    """The number of samples of a query when throughput was measured."""
    serving: ServerSettings | None = None
    """How the server was configured under load."""
    more: dict[str, Any] = field(default_factory=dict)
    """Settings of files that another version wrote."""


@dataclass(frozen=True)
class RepeatedBlocks:
    """How many blocks other processes disturbed."""

    __pydantic_config__: ClassVar = STRICT

    measured: int
    """The number of blocks or pairs that count."""
    again: int
    """The number of blocks or pairs that were disturbed and measured again."""


@dataclass
class AgainstEvidence(Entries):
    """What was seen of the other revision."""

    __pydantic_config__: ClassVar = STRICT

    name: str
    """The revision as the user named it."""
    commit: str
    """The full id of the commit."""
    only_here: bool
    """Whether the other revision does not have the variant."""
    variants_only_there: list[str] | None = None
    """The variants that only the other revision has."""
    measures_only_there: list[str] | None = None
    """The metrics that only the other revision has."""
    changes: dict[str, Measure] | None = None
    """The changes of scores since the other revision, by metric."""
    unable: str | None = None
    """Why the other revision could not be measured."""
    contaminated_pairs: RepeatedBlocks | None = None
    """The pairs with the other revision that were disturbed."""
    processes_compared: int | None = None
    """The number of processes of each side, one after the other."""


@dataclass(frozen=True)
class LoadWindow:
    """A part of a run under load."""

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
    """The 99th percentile of latency in seconds; None without an answer."""
    cpu_s_per_answer: float | None
    """The CPU time of an answer in seconds; None without an answer."""
    slow_host: bool = False
    """Whether an answer took over a quarter more CPU time than in the median window."""


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
    """The mean over the windows, in cores; None if the run was shorter than a window."""
    max: float | None
    """The largest of the windows, in cores; None if the run was shorter than a window."""


@dataclass(frozen=True)
class LoadEvidence:
    """What was seen under one load."""

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
    """Where the energy was read; None if it is not known."""
    died_workers: int
    """The number of the server's processes that died."""
    trials: dict[str, bool]
    """Whether each tried rate kept the limit, by requests a second."""
    doubt: str
    """Why the generator may be what was measured; empty if it was not."""
    spoilt_runs: Sequence[str]
    """What was wrong with the generator in earlier runs, which this one replaces."""


@dataclass
class Evidence(Entries):
    """What was seen while a variant was built and measured; None for what was not seen."""

    __pydantic_config__: ClassVar = STRICT

    skipped: str | None = None
    """What the host lacks to run the variant."""
    doubts: list[str] | None = None
    """Reasons why the variant may not be faster than the baseline."""
    host_doubts: list[str] | None = None
    """Reasons why this host may distort what was measured."""
    thread_search_s: dict[str, float] | None = None
    """The median time of a query with each number of threads, in seconds."""
    latency_percentiles_s: list[float] | None = None
    """The percentiles 0, 1, 2 ... 100 of latency, in seconds."""
    contaminated_blocks: RepeatedBlocks | None = None
    """The blocks of single queries that were disturbed."""
    contaminated_pairs: RepeatedBlocks | None = None
    """The pairs with the baseline that were disturbed."""
    processes_compared: int | None = None
    """The number of processes of each side, one after the other."""
    against: AgainstEvidence | None = None
    """What was seen of the other revision."""
    quality_metric: str | None = None
    """The name of the first metric of the task."""
    quality_shares: dict[str, int] | None = None
    """The number of shares of the quality set that each type of node ran."""
    signatures: dict[str, str] | None = None
    """The versions and settings that make scores comparable, by metric."""
    differences: dict[str, Measure] | None = None
    """The differences of scores to the baseline, by metric."""
    protocols: dict[str, str] | None = None
    """The study that each protocol follows."""
    loads: dict[str, LoadEvidence] | None = None
    """What was seen under each load."""
    advice: str | None = None
    """A broken limit that only advises."""
    more: dict[str, Any] = field(default_factory=dict)
    """What the backend reported when it built the artifact."""
