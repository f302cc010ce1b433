"""Messages between a run and a worker: over pipes, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args


@dataclass(frozen=True)
class LoadArtifact:
    """Request to load a built artifact; the reply is `Loaded`."""

    suite: dict[str, str]
    """Fields of the suite's `SuiteAddress`."""
    data: str
    """Folder of the suite's data."""
    backend: Mapping[str, Any]
    """Description of the backend, made by `naming.describe`."""
    model: str
    """Folder of the model's files."""
    artifact: str
    """Folder of the artifact."""
    threads: int | None
    """Number of threads; None for the default of the runtime."""
    cpus: Sequence[int] | None
    """Cores to which the worker is pinned; None for all."""
    timeout_s: float = 300.0
    """Time limit of each reply, in seconds."""


@dataclass(frozen=True)
class Loaded:
    """Settings and state of a variant that was just loaded."""

    threads: int
    """Number of threads that the runtime uses."""
    decoding: dict[str, Any]
    """Decoding settings that the runtime uses."""
    memory_bytes: int
    """Peak memory so far, in bytes."""
    ready_ns: int
    """Time at which loading ended, by `perf_counter_ns`, a clock common to all processes."""
    scores_text: bool = False
    """Whether the runner is a `ScoringRunner`."""


@dataclass(frozen=True)
class Build:
    """Request to build an artifact; the reply is `Built`. Fields as in `LoadArtifact`."""

    suite: dict[str, str]
    backend: Mapping[str, Any]
    model: str
    data: str
    source: str | None
    """Folder of the artifact from which this one is built, if any."""
    folder: str
    """Empty folder for the artifact."""


@dataclass(frozen=True)
class Built:
    """A finished artifact."""

    evidence: dict[str, Any]
    """Facts about the build from the backend, such as counts of fused operators."""


@dataclass(frozen=True)
class Block:
    """Request to run queries back to back; the reply is `BlockDone`."""

    queries: Sequence[Sequence[int]]
    """Sample numbers of each query's batch."""
    least_ns: int = 0
    """Minimum duration, in nanoseconds; the queries are repeated in turn until it has passed."""
    warm_up: bool = True
    """Whether a query that is not counted comes first. It consists of the suite's shortest sample,
    in a batch as large as the first query's."""
    outputs: bool = False
    """Whether to return the outputs."""
    length: int | None = None
    """Length of each sample for `Task.sized`; None leaves samples unchanged."""


@dataclass(frozen=True)
class BlockDone:
    """Times of a block in nanoseconds, and its outputs."""

    query_ns: list[int]
    """Time of each query."""
    model_ns: list[int]
    """Time of each query inside the model."""
    wall_ns: int
    """Time of the whole block."""
    cpu_ns: int
    """CPU time of the worker's process, all threads."""
    foreign_cpu_ns: int | None
    """CPU time of all other processes and of the hypervisor (steal) during the block; None if the
    host does not report it."""
    outputs: list[list[Any]] | None
    """Outputs of each query, one per sample; None if they were not requested."""
    tokens: Sequence[Sequence[int]] | None = None
    """Number of tokens of the prompts and of the outputs of each query, `[prompt, output]`; None
    if the model does not generate tokens."""
    token_ns: list[list[int]] | None = None
    """Time of each output token of each query since the start of the query; None if the backend
    returns whole outputs, or a query has several samples."""
    output_ids: list[list[int]] | None = None
    """Token ids of each output, over all queries; None if outputs were not requested or the codec
    is no `TokenIdCodec`."""


@dataclass(frozen=True)
class AskMemory:
    """Request for the peak memory of the worker; the reply is `Memory`."""


@dataclass(frozen=True)
class Memory:
    """Peak memory of the worker and its children."""

    peak_bytes: int


@dataclass(frozen=True)
class AskInputs:
    """Request for the digest of the worker's inputs; the reply is `Inputs`."""


@dataclass(frozen=True)
class Inputs:
    """The identity of a worker's inputs."""

    digest: str
    """Hash of the inputs, equal in two workers with the same inputs."""


@dataclass(frozen=True)
class AskText:
    """Request for the windows of the text of `Task.perplexity`; the reply is `Text`."""


@dataclass(frozen=True)
class Text:
    """The windows of the task's text in tokens of a variant."""

    windows: int
    """Number of windows."""
    digest: str
    """Hash of the tokens of the windows, equal in two variants with the same tokenizer."""


@dataclass(frozen=True)
class ScoreWindow:
    """Request for the probability of a window of the text; the reply is `WindowScored`."""

    window: int
    """Number of the window, from 0."""
    positions: int
    """Maximum number of tokens whose distributions are kept or compared."""
    keep_in: str | None = None
    """File for the distributions of these tokens; None keeps none."""
    compare_with: str | None = None
    """File with the baseline's distributions of these tokens; None compares none."""


@dataclass(frozen=True)
class WindowScored:
    """The probability of the scored tokens of a window."""

    tokens: int
    """Number of scored tokens."""
    size: int
    """Size of their text, in bytes."""
    nats: float
    """Negative natural logarithm of their probability."""
    is_finite: bool = True
    """Whether all probabilities are finite; `nats` has no meaning otherwise."""
    positions: int = 0
    """Number of tokens whose distributions were compared."""
    divergence: float = 0.0
    """Sum of the Kullback-Leibler divergences of these distributions, in nats."""
    unlike: str = ""
    """Reason why the distributions cannot be compared; empty if they were."""


@dataclass(frozen=True)
class Survey:
    """Request for the contents of a suite in the worker's checkout; the reply is `Surveyed`."""

    suite: dict[str, str]
    """Fields of the suite's `SuiteAddress`."""
    more_backends: Sequence[Mapping[str, Any]]
    """Descriptions of backends whose variants are added to the suite."""
    models_beside: str
    """Folder with models that may be missing in the worker's checkout."""


@dataclass(frozen=True)
class Surveyed:
    """Contents of a suite in the worker's checkout."""

    blueprints: Mapping[str, Mapping[str, Any]]
    """Blueprint of each variant that can be built, as a document."""
    unable: Mapping[str, str]
    """Reason for each variant that has no blueprint."""
    metrics: Sequence[str]
    """Names of the suite's metrics."""
    borrowed_models: Sequence[str]
    """Names of the models that were found only in `models_beside`."""


@dataclass(frozen=True)
class RequestFailed:
    """The exception of a failed request; the worker continues."""

    error_type: str
    message: str
    is_user_error: bool
    """Whether it is a UserError, which is shown without a traceback."""


Message = (
    LoadArtifact
    | Loaded
    | Build
    | Built
    | Block
    | BlockDone
    | AskMemory
    | Memory
    | AskInputs
    | Inputs
    | AskText
    | Text
    | ScoreWindow
    | WindowScored
    | Survey
    | Surveyed
    | RequestFailed
)

_TYPES: dict[str, type[Any]] = {cls.__name__: cls for cls in get_args(Message)}


def encode(message: Message, number: int) -> bytes:
    """Return the message as a line. Raises TypeError if JSON cannot express a value.

    `number` is the number of the request, which its reply repeats.
    """
    # `asdict` takes ten times as long, because it copies every number of a block.
    values = {"is": type(message).__name__, "number": number, **vars(message)}
    return json.dumps(values).encode() + b"\n"


def decode(line: bytes) -> tuple[int, Message]:
    """Return the number and the message of a line. Raises ValueError if it is not a message."""
    try:
        values = json.loads(line)
        message_type, number = _TYPES[values.pop("is")], int(values.pop("number"))
        message: Message = message_type(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message: {line[:200]!r}") from error
    return number, message
