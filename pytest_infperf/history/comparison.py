"""Two saved runs, measure by measure: what changed, by how much, and what can't be said.

Times, rates and memory of hosts that differ say nothing about the code, so that of them only the
ratios to each run's own baseline are compared. Sizes, quality and ratios are the same anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from pytest_infperf.history.store import SavedRun
from pytest_infperf.host.fingerprint import comparable
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record
from pytest_infperf.stats import independent
from pytest_infperf.stats.independent import Estimate

Basis = Literal["values", "ratios to the baseline"]

OF_THE_HOST = frozenset({"s", "samples/s", "usd"})
_OF_THE_HOST_TOO = frozenset({"peak_memory", "loaded_memory"})
_WITHOUT_SPREAD = frozenset({"size", "peak_memory", "loaded_memory"})
"""Read once and the same each time; what else has no bounds has an unknown interval."""


@dataclass(frozen=True)
class Change:
    """One measure of one variant, before and after; what only one run has is None in the other."""

    suite: str
    variant: str
    measure: str
    before: Measure | None
    after: Measure | None
    basis: Basis | None = None
    """None when it could not be compared."""
    change: Measure | None = None
    """As a fraction of what it was, or in points; infinite bounds are None."""

    @property
    def is_clear(self) -> bool:
        """Whether the whole interval lies on one side of no change."""
        if self.change is None or not self.change.value:
            return False
        low, high = bounds(self.change)
        return low > 0 or high < 0


@dataclass(frozen=True)
class Comparison:
    before: SavedRun
    after: SavedRun
    differing_facts: list[str]
    """Of the hosts; none, and their times are compared."""
    changes: list[Change] = field(default_factory=list)


def compare(before: SavedRun, after: SavedRun) -> Comparison:
    differing = comparable(before.run.host, after.run.host)
    comparison = Comparison(before, after, differing)
    old, new = (_by_variant(saved) for saved in (before, after))
    for key in dict.fromkeys([*old, *new]):
        suite, variant = key
        ours, theirs = new.get(key), old.get(key)
        names = dict.fromkeys(
            [*(theirs.measures if theirs else ()), *(ours.measures if ours else ())]
        )
        for name in names:
            was, now = _measure(theirs, name), _measure(ours, name)
            change = Change(suite, variant, name, was, now)
            if was and now and theirs and ours:
                change = _compared(change, was, now, (old, theirs), (new, ours), bool(differing))
            comparison.changes.append(change)
    return comparison


def bounds(measure: Measure) -> tuple[float, float]:
    return (
        -math.inf if measure.low is None else measure.low,
        math.inf if measure.high is None else measure.high,
    )


Variants = dict[tuple[str, str], Record]


def _compared(
    change: Change,
    was: Measure,
    now: Measure,
    old: tuple[Variants, Record],
    new: tuple[Variants, Record],
    hosts_differ: bool,
) -> Change:
    if was.unit != now.unit:
        return change
    basis: Basis = "values"
    before, after = _estimate(change.measure, was), _estimate(change.measure, now)
    if was.unit in ("points", "fraction") and _scored_alike(old[1], new[1]):
        before, after = (Estimate(side.value, side.value, side.value) for side in (before, after))
    if hosts_differ and (was.unit in OF_THE_HOST or change.measure in _OF_THE_HOST_TOO):
        basis = "ratios to the baseline"
        baselines = [_baseline_estimate(change.measure, *side) for side in (old, new)]
        if not all(baselines):
            return change
        before, after = (
            independent.ratio(its, baseline)
            for its, baseline in zip((before, after), baselines, strict=True)
            if baseline
        )
    if was.unit in ("points", "fraction"):
        found = independent.difference(after, before)
        unit = was.unit
    elif min(before.value, after.value) > 0:
        relative = independent.ratio(after, before)
        found = Estimate(relative.value - 1, relative.low - 1, relative.high - 1)
        unit = "fraction"
    else:
        return change
    measure = Measure(
        found.value,
        unit,
        found.low if math.isfinite(found.low) and (unit != "fraction" or found.low > -1) else None,
        found.high if math.isfinite(found.high) else None,
        min(was.n, now.n),
    )
    return Change(change.suite, change.variant, change.measure, was, now, basis, measure)


def _scored_alike(a: Record, b: Record) -> bool:
    """On the same samples: of these the scores are known, whatever other samples would say."""
    drawn = [(record.settings.seed, record.settings.samples) for record in (a, b)]
    return drawn[0] == drawn[1] and None not in drawn[0]


def _baseline_estimate(name: str, variants: Variants, record: Record) -> Estimate | None:
    """The measure of the run's own baseline; None for the baseline itself."""
    baseline_id = record.settings.baseline_id
    if not baseline_id or baseline_id == record.variant:
        return None
    baseline = _measure(variants.get((record.suite, baseline_id)), name)
    return _estimate(name, baseline) if baseline and baseline.value > 0 else None


def _estimate(name: str, measure: Measure) -> Estimate:
    if name in _WITHOUT_SPREAD:
        return Estimate(measure.value, measure.value, measure.value)
    return Estimate(measure.value, *bounds(measure))


def _by_variant(saved: SavedRun) -> Variants:
    return {(record.suite, record.variant): record for record in saved.run.records}


def _measure(record: Record | None, name: str) -> Measure | None:
    return record.measures.get(name) if record else None
