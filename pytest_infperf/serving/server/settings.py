"""How a variant is served: what a user chooses, and what the server's processes are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_infperf.suite.serving import Serving

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Deployment:
    """What a server's processes are told: of JSON's types, through the environment.

    Payloads are not in it: each process finds them in the suite.
    """

    suite: Mapping[str, str]
    """root and module of the suite's address."""
    variant: str
    backend: Mapping[str, Any]
    model: str
    artifact: str
    threads: int | None
    """Of each worker."""
    serving: Mapping[str, Any]
    """`Serving.limits()`."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    cpus: Sequence[int] | None = None
    """The cores that all workers share; None leaves the choice to the system."""
    groups: Sequence[str] = ()
    """Control groups that the processes enter before they load anything."""
    log: bool = True
    """A line of JSON a request, on stderr."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Deployment:
        return cls(**json.loads(text))

    @property
    def limits(self) -> Serving:
        return Serving(**self.serving)


ENVIRONMENT = "INFPERF_DEPLOYMENT"
"""The variable that holds the deployment."""
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's variable: where the workers of a server keep what they count."""
