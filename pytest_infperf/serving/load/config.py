"""The configuration of a load generator's process, passed as JSON through the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Self

ENVIRONMENT = "INFPERF_LOAD_PLAN"
"""Environment variable that holds the configuration."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Where a generator sends requests, which ones, how fast and for how long."""

    url: str
    """Base URL of the server."""
    path: str
    """Path that requests are posted to."""
    bodies: str
    """Path of a file with one request body a line; they are sent in turn."""
    out: str
    """Path of the file of replies; Locust's processes each append a suffix to it."""
    seconds: float
    """Duration of the load, in seconds."""
    timeout_s: float
    """Time after which a request counts as an error, in seconds."""
    seed: int = 0
    """Seed of the random arrival times."""
    rate: float | None = None
    """Poisson arrivals a second; None sends as soon as a connection is free."""
    connections: int = 1
    """Concurrent connections, if `rate` is None."""
    replica_urls: Sequence[str] = ()
    """Base URLs of servers that get the requests in turn; empty sends all of them to `url`."""
    requests: int | None = None
    """Maximum number of requests; None sends until the time is over."""

    def to_environment(self) -> dict[str, str]:
        """Return the environment variable for the generator's process."""
        return {ENVIRONMENT: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Self:
        """Return the configuration that this process was started with."""
        return cls(**json.loads(os.environ[ENVIRONMENT]))

    def endless_bodies(self) -> Iterator[bytes]:
        """Yield the request bodies in turn, without end."""
        return cycle(Path(self.bodies).read_bytes().splitlines())
