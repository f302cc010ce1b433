"""What a test run and a worker say to each other: one JSON object a line, over pipes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args


@dataclass(frozen=True)
class LoadArtifact:
    """Load a built artifact and say how it is set up (`Loaded`)."""

    suite: dict[str, str]
    """root and module of the suite's address."""
    data: str
    """The folder that the suite's samples are read from."""
    backend: Mapping[str, Any]
    model: str
    artifact: str
    threads: int | None
    cpus: Sequence[int] | None


@dataclass(frozen=True)
class Loaded:
    threads: int
    decoding: dict[str, Any]
    memory_bytes: int
    ready_ns: int
    """When it was: of `perf_counter_ns`, which the processes of a host share."""


@dataclass(frozen=True)
class Build:
    """Build an artifact into an empty folder and give the evidence of it (`Built`)."""

    suite: dict[str, str]
    backend: Mapping[str, Any]
    model: str
    data: str
    """The folder that the samples are read from."""
    source: str | None
    """The artifact that this one is built from."""
    folder: str


@dataclass(frozen=True)
class Built:
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Block:
    """Run queries back to back (`BlockDone`): each a batch of sample numbers.

    A query of the suite's shortest sample, in as large a batch as the first, warms up and is not
    counted. All queries are repeated in turn until the block lasts `least_ns`.
    """

    queries: Sequence[Sequence[int]]
    least_ns: int = 0
    warm_up: bool = True
    outputs: bool = False
    length: int | None = None
    """Of each sample, by `Task.sized`; None takes them as they are."""


@dataclass(frozen=True)
class BlockDone:
    query_ns: list[int]
    model_ns: list[int]
    """The part of each query inside the model."""
    wall_ns: int
    cpu_ns: int
    """Of the worker's process, all threads."""
    foreign_cpu_ns: int | None
    """CPU time that others took on this host meanwhile, steal included; None: cannot be read."""
    outputs: list[list[Any]] | None


@dataclass(frozen=True)
class AskMemory:
    """How much memory did you hold at most (`Memory`)?"""


@dataclass(frozen=True)
class Memory:
    peak_bytes: int


@dataclass(frozen=True)
class AskInputs:
    """What inputs do you have (`Inputs`)?"""


@dataclass(frozen=True)
class Inputs:
    digest: str
    """Equal in two workers that were given the same inputs."""


@dataclass(frozen=True)
class Survey:
    """What does the suite hold in your checkout (`Surveyed`)?"""

    suite: dict[str, str]
    more_backends: Sequence[Mapping[str, Any]]
    """Of variants that are added to the suite there too."""
    models_beside: str
    """The folder that a model is taken from which this checkout does not have."""


@dataclass(frozen=True)
class Surveyed:
    blueprints: Mapping[str, Mapping[str, Any]]
    """By variant."""
    unable: Mapping[str, str]
    """By variant, why none could be drawn."""
    metrics: Sequence[str]
    borrowed_models: Sequence[str]
    """Taken from the other folder."""


@dataclass(frozen=True)
class RequestFailed:
    """The request failed with an exception; the worker is still there."""

    kind: str
    message: str
    mendable: bool
    """True for what the user can mend (UserError): shown without a traceback."""


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
    | Survey
    | Surveyed
    | RequestFailed
)

_TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """Return the message as a line. Raises TypeError if a value is not of JSON's types."""
    # `asdict` would copy every number of a block first, which takes ten times as long.
    return json.dumps({"is": type(message).__name__, **vars(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Raises ValueError for what is no message."""
    try:
        values = json.loads(line)
        kind = _TYPES[values.pop("is")]
        message: Message = kind(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a message: {line[:200]!r}") from error
    return message
