"""The configuration of a load generator's process, passed as JSON through the environment."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Self

ENVIRONMENT = "INFPERF_LOAD_PLAN"
"""Environment variable that contains the configuration."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Destination, requests, rate and duration of a generator."""

    url: str
    """Base URL of the server."""
    path: str
    """Path that requests are posted to."""
    bodies: str
    """Path of a file with one request body per line; they are sent in turn."""
    out: str
    """Path of the file of replies; Locust's processes each append a suffix to it."""
    seconds: float
    """Duration of the load, in seconds."""
    timeout_s: float
    """Time after which a request counts as an error, in seconds."""
    seed: int = 0
    """Seed of the random arrival times."""
    rate: float | None = None
    """Poisson arrivals per second; None sends as soon as a connection is free."""
    connections: int = 1
    """Concurrent connections, if `rate` is None."""
    replica_urls: Sequence[str] = ()
    """Base URLs of servers that receive requests in turn; empty sends all requests to `url`."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers of each request, in addition to its content type."""
    certificates: str | None = None
    """Path of a file with the certificates of authorities; None for the usual ones."""
    uses_proxies: bool = False
    """Whether the proxies of the environment are used."""
    requests: int | None = None
    """Maximum number of requests; None sends until the time is over."""
    streams: bool = False
    """Whether the requests ask for streamed responses, by OpenAI's API."""

    def to_environment(self) -> dict[str, str]:
        """Return the environment variable for the generator's process."""
        return {ENVIRONMENT: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Self:
        """Return the configuration that this process was started with."""
        return cls(**json.loads(os.environ[ENVIRONMENT]))

    @property
    def all_headers(self) -> dict[str, str]:
        """All headers of each request."""
        fixed = {"content-type": "application/json"}
        if self.streams:  # a compressed stream would arrive in other pieces
            fixed["accept-encoding"] = "identity"
        return {**fixed, **self.headers}

    def ssl_context(self) -> ssl.SSLContext:
        """Return the context that verifies the server's certificate."""
        return ssl.create_default_context(cafile=self.certificates)

    def endless_bodies(self) -> Iterator[bytes]:
        """Yield the request bodies in turn, without end."""
        return cycle(Path(self.bodies).read_bytes().splitlines())
