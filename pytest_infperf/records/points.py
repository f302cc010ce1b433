"""Names of measures at a point of a sweep, a protocol or a load: `latency_p99@length=512`.

In thresholds.toml this is `latency_p99.at."length=512"`.
"""

from __future__ import annotations

AT = "@"
GROWTH = "growth"
"""The exponent of the growth of a sweep's times with its parameter, as in `growth@length`."""


def at(measure: str, point: str) -> str:
    """Return the name of a measure at a point, such as `latency_p99@length=512`."""
    return f"{measure}{AT}{point}"


def point(parameter: str, value: float) -> str:
    """Return the name of a point, such as `length=512`."""
    return f"{parameter}={value:.12g}"


def parameter_and_value(point: str) -> tuple[str, float] | None:
    """Split the point of a sweep or a load into parameter and value.

    Return None for points without a numeric value: protocols, the point of `growth`, and loads with
    a payload or a number of requests, such as `users=1:listings` and `users=1-1000`.
    """
    parameter, _, value = point.partition("=")
    try:
        return parameter, float(value)
    except ValueError:
        return None


def parameter_of(point: str) -> str:
    """Return `length` of `length=512`, and of `length`, the point of a growth."""
    return point.partition("=")[0]


def base_of(name: str) -> str:
    """Return `latency_p99` of `latency_p99@length=512`."""
    return name.partition(AT)[0]


def point_of(name: str) -> str:
    """Return `length=512` of `latency_p99@length=512`, and `length` of `growth@length`."""
    return name.partition(AT)[2]
