"""What a generator's process is told, through the environment: of JSON's types."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Self

ENVIRONMENT = "INFPERF_LOAD_PLAN"


@dataclass(frozen=True)
class GeneratorConfig:
    url: str
    path: str
    bodies: str
    """A file with a request's body a line; sent in turn."""
    out: str
    """The file, or the beginning of the names of the files, that replies are written to."""
    seconds: float
    timeout_s: float
    seed: int = 0
    rate: float | None = None
    """Requests a second at random times; None sends as soon as a connection is free."""
    connections: int = 1
    requests: int | None = None
    """How many at most."""

    def to_environment(self) -> dict[str, str]:
        return {ENVIRONMENT: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Self:
        return cls(**json.loads(os.environ[ENVIRONMENT]))

    def endless_bodies(self) -> Iterator[bytes]:
        return cycle(Path(self.bodies).read_bytes().splitlines())
