"""The deployment for the processes of a server, and its environment variables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_infperf.suite.serving import Serving

ENVIRONMENT = "INFPERF_DEPLOYMENT"
"""Environment variable that contains the deployment as JSON."""
METRICS_PREFIX = "infperf-metrics-"
"""Prefix of the name of each folder for the counts of a server."""
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus_client: the folder of the counts of all processes."""


@dataclass(frozen=True)
class Deployment:
    """One variant with the settings of its server, in JSON types.

    Payloads are not included: each process gets them from the suite.
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
    """Port to listen on; 0 selects a free one."""
    cpus: Sequence[int] | None = None
    """Cores that all processes share; None leaves the choice to the operating system."""
    groups: Sequence[str] = ()
    """Control groups that the processes enter before they load anything."""
    log: bool = True
    """Whether each request is logged to stderr."""
    title: str = ""
    """Description for the line on stderr that gives the URL; empty for no such line."""
    allowed_hosts: Sequence[str] = ("*",)
    """Names allowed in the Host header, such as `*.example.com`; `*` allows any."""

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
