"""How each measure of a variant went over saved runs, and the runs at which it changed.

What depends on the host is followed on each kind of host alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pytest_infperf.history.comparison import OF_THE_HOST
from pytest_infperf.history.store import SavedRun
from pytest_infperf.host.fingerprint import comparable, host_names
from pytest_infperf.stats.changepoints import change_points

DEFAULT_MEASURES = ("latency_p50", "speedup", "throughput", "peak_memory", "size")
"""Beside each suite's quality."""
_ON_ONE_HOST = ("peak_memory", "loaded_memory")


@dataclass(frozen=True)
class Shift:
    """A change of level: the first run at the new one."""

    run: SavedRun
    index: int
    change: float
    """A share of the old level, or points for quality."""
    unit: str


@dataclass
class Series:
    suite: str
    variant: str
    measure: str
    unit: str
    host: str
    """Empty for what is the same on any."""
    runs: list[SavedRun] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def in_differences(self) -> bool:
        return self.unit in ("points", "fraction")

    def shifts(self, confidence: float) -> list[Shift]:
        """Levels are compared as ratios, but for quality, whose points are differences."""
        logarithmic = not self.in_differences and all(value > 0 for value in self.values)
        scale: Callable[[float], float] = math.log if logarithmic else float
        found = change_points([scale(value) for value in self.values], confidence)
        unit = "fraction" if logarithmic else self.unit
        change: Callable[[float], float] = math.expm1 if logarithmic else float
        return [
            Shift(self.runs[point.index], point.index, change(point.after - point.before), unit)
            for point in found
        ]


def series_of(
    runs: Sequence[SavedRun], measures: Sequence[str] = (), variants: str = "*"
) -> list[Series]:
    """Series of the runs, which come in order of time; measures are globs (default: the main)."""
    found: dict[tuple[str, str, str, str], Series] = {}
    hosts: dict[str, SavedRun] = {}
    for run in runs:
        for suite, variant, name, unit, value in _values(run, measures, variants):
            on_one_host = unit in OF_THE_HOST or name in _ON_ONE_HOST
            host = _host(run, hosts) if on_one_host else ""
            series = found.setdefault(
                (suite, variant, name, host), Series(suite, variant, name, unit, host)
            )
            series.runs.append(run)
            series.values.append(value)
    return list(found.values())


def _values(
    run: SavedRun, measures: Sequence[str], variants: str
) -> Iterator[tuple[str, str, str, str, float]]:
    for record in run.run.records:
        if not fnmatchcase(record.variant, variants):
            continue
        metric = record.evidence.quality_metric
        globs = measures or (*DEFAULT_MEASURES, *([metric] if metric else []))
        for name, measure in record.measures.items():
            if any(fnmatchcase(name, glob) for glob in globs):
                yield record.suite, record.variant, name, measure.unit, measure.value


def _host(run: SavedRun, known: dict[str, SavedRun]) -> str:
    """A name for the kind of host, the same for all that can be compared."""
    host = run.run.host
    for name, other in known.items():
        if not comparable(host, other.run.host):
            return name
    plain = next(iter(host_names(host)), "unknown host")
    alike = sum(name.partition(" #")[0] == plain for name in known)
    name = f"{plain} #{alike + 1}" if alike else plain
    known[name] = run
    return name
