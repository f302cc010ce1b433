"""Limits that no value can meet: a lower limit greater than the upper limit."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_infperf.records.catalogue import LimitRule
from pytest_infperf.thresholds.location import Location
from pytest_infperf.thresholds.problems import ProblemCollector
from pytest_infperf.thresholds.sections import Limits
from pytest_infperf.thresholds.wording import describe_value

_PAIRS: tuple[tuple[LimitRule, LimitRule], ...] = (("min", "max"), ("min_ratio", "max_ratio"))


def crossed_limits(values: Mapping[LimitRule, float]) -> list[tuple[LimitRule, LimitRule]]:
    """Return the pairs of rules whose lower limit is greater than the upper limit."""
    return [
        (low, high)
        for low, high in _PAIRS
        if low in values and high in values and values[low] > values[high]
    ]


def report_crossed_limits(
    limits: Limits,
    values: Mapping[LimitRule, float],
    location: Location,
    problems: ProblemCollector,
) -> None:
    """Add a problem for each crossed pair; `values` are those of `limits` in one unit."""
    for low, high in crossed_limits(values):
        problems.add(
            location.at_key(low),
            f"{describe_value(limits[low])} is greater than "
            f"{high} = {describe_value(limits[high])}",
            f"Lower {low} or raise {high}.",
        )
