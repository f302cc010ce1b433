"""The deployment that the processes of a server get, and the environment variables for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_infperf.suite.serving import Serving

ENVIRONMENT = "INFPERF_DEPLOYMENT"
"""Environment variable that holds the deployment as JSON."""
METRICS_PREFIX = "infperf-metrics-"
"""Start of the name of each folder that is made for the counts of a server."""
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus_client: the folder of the counts of all processes."""


@dataclass(frozen=True)
class Deployment:
    """One variant as a server serves it, in types that JSON has.

    Payloads are not part of it: each process gets them from the suite.
    """

    suite: Mapping[str, str]
    """Fields of the suite's `SuiteAddress`."""
    variant: str
    """Id of the variant."""
    backend: Mapping[str, Any]
    """Name and arguments of the backend, for `naming.restore`."""
    model: str
    """Path of the model."""
    artifact: str
    """Path of the built variant."""
    threads: int | None
    """Threads of each server process; None leaves the number to the runtime."""
    serving: Mapping[str, Any]
    """`Serving.limits()` of the suite."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 0
    """Port to listen on; 0 takes a free one."""
    cpus: Sequence[int] | None = None
    """Cores that all processes share; None leaves the choice to the operating system."""
    groups: Sequence[str] = ()
    """Control groups that the processes enter before they load anything."""
    log: bool = True
    """Whether each request is logged to stderr."""
    title: str = ""
    """What is served, for the line on stderr that gives the URL; empty for no such line."""
    allowed_hosts: Sequence[str] = ("*",)
    """Names that a request may have in its Host header, such as `*.example.com`; `*` is any."""

    def to_json(self) -> str:
        """Return the deployment as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Deployment:
        """Return the deployment that `to_json` wrote."""
        return cls(**json.loads(text))

    @property
    def limits(self) -> Serving:
        """Settings of the server, without the suite's payloads."""
        return Serving(**self.serving)
