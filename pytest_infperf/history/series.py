"""Series of a measure of a variant over saved runs, and the runs at which its level changed.

A measure that depends on the host has a series for each kind of host.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pytest_infperf.history.selection import matches
from pytest_infperf.history.store import SavedRun
from pytest_infperf.host.fingerprint import comparable, host_names
from pytest_infperf.records.catalogue import is_alike_on_any_host
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import base_of
from pytest_infperf.records.record import Record
from pytest_infperf.stats.changepoints import LEAST_RUNS, change_points

RUNS_OF_A_LEVEL = LEAST_RUNS
"""Minimum number of runs before and after a change."""
DEFAULT_MEASURES = ("latency_p50", "speedup", "throughput", "peak_memory", "size")
"""Measures that are followed by default, in addition to the quality of each suite."""
TOKEN_MEASURES = (
    *(f"{times}_{percentile}" for times in ("ttft", "itl") for percentile in ("p50", "p99")),
    "output_tokens_rate",
    "token_throughput",
)
"""Measures of generated text that are followed by default, also under loads."""
DEFAULT_IN_WORDS = (
    f"{', '.join(DEFAULT_MEASURES)}, the suite's quality, and the main times and rates of tokens"
)
"""The measures that are shown by default, for the help of commands."""


@dataclass(frozen=True)
class Shift:
    """A change of level."""

    run: SavedRun
    """First run at the new level."""
    index: int
    """Index of that run in the series."""
    change: float
    """Change as a fraction of the old level, or in the unit of a quality."""
    unit: str


@dataclass
class Series:
    """Values of a measure of a variant over runs."""

    suite: str
    variant: str
    measure: str
    unit: str
    host: str
    """Name of the kind of host; empty for a measure that is the same on any host."""
    runs: list[SavedRun] = field(default_factory=list)
    """Runs with the measure, the oldest first."""
    values: list[float] = field(default_factory=list)
    """Value in each of the runs."""
    interval_widths: list[float] = field(default_factory=list)
    """Width of each interval that has both bounds."""

    @property
    def noise(self) -> float:
        """Median width of the intervals; 0 for values without intervals."""
        return median(self.interval_widths) if self.interval_widths else 0.0

    def shifts(self, confidence: float) -> list[Shift]:
        """Return the changes of level that are certain at a confidence between 0 and 1.

        Levels are compared as ratios. Levels of qualities, and of series with a value that is not
        positive, are compared as differences.
        """
        is_difference = self.unit in ("points", "fraction")
        as_ratios = not is_difference and all(value > 0 for value in self.values)
        scale: Callable[[float], float] = math.log if as_ratios else float
        change: Callable[[float], float] = math.expm1 if as_ratios else float
        return [
            Shift(
                self.runs[point.index],
                point.index,
                change(point.after - point.before),
                "fraction" if as_ratios else self.unit,
            )
            for point in change_points([scale(value) for value in self.values], confidence)
        ]


def series_of(
    runs: Sequence[SavedRun], measures: Sequence[str] = (), variants: str = "*"
) -> list[Series]:
    """Return the series of the measures in saved runs.

    Parameters
    ----------
    runs
        The runs, the oldest first.
    measures
        Globs of the measures to follow; by default the main measures and each suite's quality.
    variants
        Glob of the variants to follow.
    """
    series_by_key: dict[tuple[str, str, str, str], Series] = {}
    host_kinds = _HostKinds()
    for run in runs:
        for record in run.run.records:
            if not matches(record.variant, variants):
                continue
            for name, measure in _followed(record, measures):
                host = "" if is_alike_on_any_host(name) else host_kinds.name(run)
                series = series_by_key.setdefault(
                    (record.suite, record.variant, name, host),
                    Series(record.suite, record.variant, name, measure.unit, host),
                )
                series.runs.append(run)
                series.values.append(measure.value)
                if measure.low is not None and measure.high is not None:
                    series.interval_widths.append(measure.high - measure.low)
    return list(series_by_key.values())


def shifts_of(series: Sequence[Series], confidence: float) -> list[tuple[Series, list[Shift]]]:
    """Return each series with its changes of level; all series share one error rate.

    Parameters
    ----------
    series
        The series to search together.
    confidence
        Confidence that none of the series has a false change, between 0 and 1.
    """
    share = 1 - (1 - confidence) / max(1, len(series))
    return [(each, each.shifts(share)) for each in series]


def default_measures(record: Record) -> Sequence[str]:
    """Return the measures that are shown by default: the main ones, the quality, and of tokens."""
    metric = record.evidence.quality_metric
    of_tokens = [name for name in record.measures if base_of(name) in TOKEN_MEASURES]
    return (*DEFAULT_MEASURES, *([metric] if metric else []), *of_tokens)


def _followed(record: Record, measures: Sequence[str]) -> Iterator[tuple[str, Measure]]:
    """Yield the measures of a record that match one of the globs, or are followed by default."""
    globs = measures or default_measures(record)
    for name, measure in record.measures.items():
        if any(matches(name, glob) for glob in globs):
            yield name, measure


class _HostKinds:
    """Names of the kinds of hosts: all hosts of one kind can be compared."""

    def __init__(self) -> None:
        self._hosts: dict[str, dict[str, Any]] = {}

    def name(self, run: SavedRun) -> str:
        """Return the name of the run's kind of host, with a number if another has that name."""
        host = run.run.host
        for name, known in self._hosts.items():
            if not comparable(host, known):
                return name
        plain = next(iter(host_names(host)), "unknown host")
        namesakes = sum(name.partition(" #")[0] == plain for name in self._hosts)
        name = f"{plain} #{namesakes + 1}" if namesakes else plain
        self._hosts[name] = host
        return name
