"""Names of measures at a point of a sweep, or under a protocol or load: `latency_p99@length=512`.

In thresholds.toml the same is written `latency_p99.at."length=512"`.
"""

from __future__ import annotations

AT = "@"
GROWTH = "growth"
"""Of a sweep: how the time grows with the parameter, `growth@length`."""


def at(measure: str, point: str) -> str:
    return f"{measure}{AT}{point}"


def point(parameter: str, value: float) -> str:
    """`length=512`."""
    return f"{parameter}={value:.12g}"


def parameter_and_value(point: str) -> tuple[str, float] | None:
    """Of a sweep's point, or a load's; None for a protocol and for what a growth is of."""
    parameter, equals, value = point.partition("=")
    return (parameter, float(value)) if equals else None


def base_of(name: str) -> str:
    """`latency_p99` of `latency_p99@length=512`."""
    return name.partition(AT)[0]


def point_of(name: str) -> str:
    """`length=512` of `latency_p99@length=512`, and `length` of `growth@length`."""
    return name.partition(AT)[2]
