"""The measures that every suite has: their names, units, directions, and what produces them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Unit = Literal["s", "bytes", "samples/s", "ratio", "fraction", "points"]
Method = Literal["latency", "throughput", "quality", "footprint"]
LimitKind = Literal["min", "max", "max_drop", "max_rise", "min_ratio", "max_ratio"]


@dataclass(frozen=True)
class MeasureKind:
    name: str
    unit: str
    higher_is_better: bool
    method: Method
    """The method of the `variant` fixture that produces it."""
    limits: tuple[LimitKind, ...] = ("min", "max")
    against_baseline: bool = False
    """What it says is about variant and baseline together: the baseline itself has none."""

    @property
    def percentile(self) -> float | None:
        """0.9 for `latency_p90`, None for what is no percentile."""
        found = PERCENTILE.fullmatch(self.name)
        return float(found["percent"]) / 100 if found else None


PERCENTILE = re.compile(r"latency_p(?P<percent>\d{1,2}(?:\.\d+)?)")

REPORTED_PERCENTILES = ("latency_p50", "latency_p90", "latency_p95", "latency_p99")

_AGAINST_BASELINE: tuple[LimitKind, ...] = ("min", "max", "min_ratio", "max_ratio")


def _latency(name: str) -> MeasureKind:
    return MeasureKind(name, "s", False, "latency")


_FIXED = (
    *map(_latency, REPORTED_PERCENTILES),
    *map(_latency, ("latency_mean", "latency_min", "latency_max", "latency_first")),
    _latency("load_time"),
    _latency("model_time_p50"),
    _latency("cpu_time"),
    MeasureKind("speedup", "ratio", True, "latency", against_baseline=True),
    MeasureKind("throughput", "samples/s", True, "throughput", _AGAINST_BASELINE),
    MeasureKind("agreement", "fraction", True, "quality", against_baseline=True),
    MeasureKind("size", "bytes", False, "footprint", _AGAINST_BASELINE),
    MeasureKind("peak_memory", "bytes", False, "footprint", _AGAINST_BASELINE),
    MeasureKind("loaded_memory", "bytes", False, "footprint", _AGAINST_BASELINE),
)


def quality_kind(name: str, unit: str, higher_is_better: bool) -> MeasureKind:
    """The kind of a task's metric, which can also be held against the baseline's."""
    against: LimitKind = "max_drop" if higher_is_better else "max_rise"
    return MeasureKind(name, unit, higher_is_better, "quality", ("min", "max", against))


class Catalogue:
    """The measures of one suite: those that every suite has and its task's metrics."""

    def __init__(self, metrics: tuple[MeasureKind, ...] = ()) -> None:
        self._kinds = {kind.name: kind for kind in (*_FIXED, *metrics)}

    def names(self) -> tuple[str, ...]:
        return tuple(self._kinds)

    def get(self, name: str) -> MeasureKind | None:
        """The kind of that name; any `latency_p..` percentile between 0 and 100 has one."""
        if name in self._kinds:
            return self._kinds[name]
        found = PERCENTILE.fullmatch(name)
        return _latency(name) if found and float(found["percent"]) > 0 else None
