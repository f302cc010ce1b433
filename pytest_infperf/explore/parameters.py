"""The parameters of an exploration, and settings of them as text."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_infperf.explore.design import Setting
from pytest_infperf.records.quantity import format_value


@dataclass(frozen=True)
class Parameter:
    """A parameter that can be varied."""

    purpose: str
    unit: str = ""
    whole: bool = True
    """Whether levels are whole numbers."""
    linear: bool = False
    """Whether levels are used by their values, not their logarithms, so that one may be 0."""


PARAMETERS = {
    "users": Parameter("clients that each wait for their answer: requests in flight"),
    "payload": Parameter("samples in a request", "samples"),
    "length": Parameter(
        "length of each sample: words of a text, otherwise the unit of the task's sweeps"
    ),
    "replicas": Parameter(
        "servers, as containers behind a load balancer: requests are sent to them in turn, and "
        "each has its own --cpu and --memory"
    ),
    "workers": Parameter(
        "processes of each server, each with its own copy of the model: they share one port and "
        "the server's --cpu and --memory"
    ),
    "cpu": Parameter("limit of each server's CPU time, in cores", "cores", whole=False),
    "memory": Parameter("limit of each server's memory", "bytes", whole=False),
    "delay-ms": Parameter(
        "delay of requests on their way to the server, in milliseconds", whole=False, linear=True
    ),
    "loss": Parameter(
        "fraction of packets lost in each direction between generator and server",
        whole=False, linear=True,
    ),
}  # fmt: skip
"""Parameters that can be varied, by the names of their options."""
COMPOSE_PARAMETERS = ("users", "payload", "length", "replicas", "workers", "cpu", "memory")
"""Parameters of an exploration that work with a compose file."""


def describe(setting: Setting) -> str:
    """Return a setting as text, in the form `cpu=0.2,memory=500 MB,users=4`."""
    return ",".join(f"{name}={format_level(name, setting[name])}" for name in sorted(setting))


def format_level(name: str, level: float) -> str:
    """Return the level of a parameter as text; bytes have their unit."""
    parameter = PARAMETERS.get(name)
    is_bytes = parameter is not None and parameter.unit == "bytes"
    return format_value(level, "bytes") if is_bytes else f"{level:g}"
