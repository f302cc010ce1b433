"""Comparison of two saved runs: the change of each measure.

Times, rates, memory and energy of different hosts cannot be compared. Instead, the ratios to the
baseline of each run are compared. Sizes, qualities and ratios are the same on any host.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Any, Literal

from pytest_infperf.history.series import default_measures
from pytest_infperf.history.store import SavedRun
from pytest_infperf.host.fingerprint import comparable
from pytest_infperf.records.catalogue import Catalogue, is_alike_on_any_host, is_quality
from pytest_infperf.records.evidence import VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import base_of
from pytest_infperf.records.record import Record
from pytest_infperf.stats import independent
from pytest_infperf.stats.independent import Estimate

Basis = Literal["values", "ratios to the baseline"]

_EXACT_MEASURES = frozenset({"size", "fused_operators", "peak_memory", "loaded_memory"})
"""Measures that are read once and do not vary. Any other measure without bounds has an unknown
interval."""
_DIFFERENCE_UNITS = frozenset({"points", "fraction"})
"""Units whose changes are differences; all others change by a fraction."""


_NOT_COMPARED_SETTINGS = frozenset({"model", "model_commit", "baseline"})
"""Settings that are compared in another way, or that follow from others."""


@dataclass(frozen=True)
class Change:
    """Change of one measure of one variant between two runs."""

    suite: str
    variant: str
    measure: str
    before: Measure | None
    """Measure in the earlier run; None if it was not measured."""
    after: Measure | None
    """Measure in the later run; None if it was not measured."""
    basis: Basis | None = None
    """What was compared; None if a comparison was not possible."""
    change: Measure | None = None
    """Change as a fraction of the earlier value, or in points; infinite bounds are None."""
    higher_is_better: bool | None = None
    """Whether a higher value is better; None if that is not known."""

    @property
    def is_exact(self) -> bool:
        """Whether the change has no uncertainty: that of equal samples, or of a size."""
        return self.change is not None and self.change.low == self.change.high is not None

    @property
    def is_beyond_both_intervals(self) -> bool:
        """Whether each value is outside the interval of the other run's value.

        This is the case if the interval of the change excludes no change.
        """
        if self.change is None or self.is_exact:
            return False
        low, high = bounds(self.change)
        return low > 0 or high < 0


@dataclass(frozen=True)
class SettingChange:
    """A variant whose runs had different values of a setting."""

    suite: str
    variant: str
    setting: str
    """Name of the setting, such as `model`, `threads` or `recipe.int8`."""
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """Two runs and the changes of their measures."""

    before: SavedRun
    after: SavedRun
    differing_facts: list[str]
    """Names of the facts in which the hosts differ; empty if their times can be compared."""
    changes: list[Change] = field(default_factory=list)
    setting_changes: list[SettingChange] = field(default_factory=list)

    def main(self, changes: Sequence[Change]) -> list[Change]:
        """Return those of the changes that are of a main measure or of the suite's quality."""
        names = {
            (record.suite, measure)
            for saved in (self.before, self.after)
            for record in saved.run.records
            for measure in default_measures(record)
        }
        return [change for change in changes if (change.suite, change.measure) in names]


def of_common_variants(changes: Sequence[Change]) -> list[Change]:
    """Return the changes of variants that both runs have."""
    variants = [
        {(change.suite, change.variant) for change in changes if getattr(change, side)}
        for side in ("before", "after")
    ]
    common = set.intersection(*variants)
    return [change for change in changes if (change.suite, change.variant) in common]


def compare(before: SavedRun, after: SavedRun) -> Comparison:
    """Return the change of every measure that at least one of the runs has."""
    comparison = Comparison(before, after, comparable(before.run.host, after.run.host))
    records_before, records_after = _by_variant(before), _by_variant(after)
    for suite, variant in dict.fromkeys([*records_before, *records_after]):
        sides = (
            _VariantOfRun(suite, variant, records_before),
            _VariantOfRun(suite, variant, records_after),
        )
        for name, old, new in _differing_settings(*(side.settings for side in sides)):
            comparison.setting_changes.append(SettingChange(suite, variant, name, old, new))
        for name in dict.fromkeys(name for side in sides for name in side.measures):
            change = _change(name, *sides, hosts_differ=bool(comparison.differing_facts))
            comparison.changes.append(change)
    return comparison


def _differing_settings(
    before: VariantSettings, after: VariantSettings
) -> Iterator[tuple[str, str, str]]:
    """Yield name and both values of each setting that both runs know and that differs."""
    commits = {before.model_commit, after.model_commit} - {None}
    old_model, new_model = _model(before), _model(after)
    # Files of older versions do not have the commit.
    if old_model and new_model and (before.model != after.model or len(commits) > 1):
        yield "model", old_model, new_model
    old_entries, new_entries = before.entries(), after.entries()
    for name in old_entries.keys() & new_entries.keys() - _NOT_COMPARED_SETTINGS:
        old, new = _parts(name, old_entries[name]), _parts(name, new_entries[name])
        for part in dict.fromkeys([*old, *new]):
            if old.get(part) != new.get(part):
                yield part, _text(old.get(part)), _text(new.get(part))


def _model(settings: VariantSettings) -> str:
    """Return the model with the commit that its hub id resolved to; empty if it is not known."""
    commit = settings.model_commit
    return f"{settings.model or ''}{f' at {commit[:10]}' if commit else ''}"


def _parts(name: str, value: Any) -> dict[str, Any]:
    """Return a setting by its name, or its parts, such as those of a recipe, by theirs."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {f"{name}.{key}": part for key, part in value.items()}
    return {name: value}


def _text(value: Any) -> str:
    return "not set" if value is None else str(value)


def bounds(measure: Measure) -> tuple[float, float]:
    """Return both bounds of a measure, infinite where it has none."""
    return (
        -math.inf if measure.low is None else measure.low,
        math.inf if measure.high is None else measure.high,
    )


@dataclass(frozen=True)
class _VariantOfRun:
    """A variant in one of the two runs, where it may be missing."""

    suite: str
    variant: str
    records: Mapping[tuple[str, str], Record]
    """Records of the run by suite and variant."""

    @property
    def measures(self) -> Mapping[str, Measure]:
        record = self.records.get((self.suite, self.variant))
        return record.measures if record else {}

    @property
    def settings(self) -> VariantSettings:
        record = self.records.get((self.suite, self.variant))
        return record.settings if record else VariantSettings()

    def higher_is_better(self, name: str) -> bool | None:
        """Return whether a higher value of a measure is better; None if that is not known."""
        if spec := Catalogue(generates=True, scores_text=True).get(base_of(name)):
            return spec.higher_is_better
        record = self.records.get((self.suite, self.variant))
        if record and name == record.evidence.quality_metric:
            return record.evidence.quality_higher_is_better
        return None

    def baseline_estimate(self, name: str) -> Estimate | None:
        """Return the estimate of the run's baseline; None if the variant is the baseline itself."""
        baseline_id = self.settings.baseline_id
        if not baseline_id or baseline_id == self.variant:
            return None
        measure = replace(self, variant=baseline_id).measures.get(name)
        return _estimate(name, measure) if measure and measure.value > 0 else None


def _change(
    name: str, before: _VariantOfRun, after: _VariantOfRun, *, hosts_differ: bool
) -> Change:
    """Return the change of a measure, without a basis if it can't be compared."""
    old, new = before.measures.get(name), after.measures.get(name)
    change = Change(
        before.suite, before.variant, name, old, new,
        higher_is_better=after.higher_is_better(name),
    )  # fmt: skip
    if old is None or new is None or old.unit != new.unit:
        return change
    old_estimate, new_estimate = _estimate(name, old), _estimate(name, new)
    is_difference = old.unit in _DIFFERENCE_UNITS
    if is_quality(name) and _same_samples(before, after):
        old_estimate, new_estimate = _exact(old_estimate.value), _exact(new_estimate.value)
    basis: Basis = "values"
    if hosts_differ and not is_alike_on_any_host(name):
        basis = "ratios to the baseline"
        old_baseline, new_baseline = before.baseline_estimate(name), after.baseline_estimate(name)
        # The fraction of errors under a load depends on the host.
        if is_difference or min(old.value, new.value) <= 0 or not (old_baseline and new_baseline):
            return change
        old_estimate = independent.ratio(old_estimate, old_baseline)
        new_estimate = independent.ratio(new_estimate, new_baseline)
    if is_difference:
        estimate, unit = independent.difference(new_estimate, old_estimate), old.unit
    elif min(old_estimate.value, new_estimate.value) > 0:
        ratio = independent.ratio(new_estimate, old_estimate)
        estimate, unit = Estimate(ratio.value - 1, ratio.low - 1, ratio.high - 1), "fraction"
    elif old.value == new.value == 0 and basis == "values":
        estimate, unit = _exact(0.0), "fraction"
    else:
        return change
    has_low = math.isfinite(estimate.low) and (is_difference or estimate.low > -1)
    measure = Measure(
        estimate.value,
        unit,
        estimate.low if has_low else None,
        estimate.high if math.isfinite(estimate.high) else None,
        min(old.n, new.n),
    )
    return replace(change, basis=basis, change=measure)


def _same_samples(before: _VariantOfRun, after: _VariantOfRun) -> bool:
    """Return whether both runs scored the same samples.

    Their scores are then exact, because they make no statement about other samples.
    """
    seeds = before.settings.seed, after.settings.seed
    counts = before.settings.samples, after.settings.samples
    return seeds[0] == seeds[1] and counts[0] == counts[1] and None not in (seeds[0], counts[0])


def _estimate(name: str, measure: Measure) -> Estimate:
    if name in _EXACT_MEASURES:
        return _exact(measure.value)
    return Estimate(measure.value, *bounds(measure))


def _exact(value: float) -> Estimate:
    return Estimate(value, value, value)


def _by_variant(saved: SavedRun) -> dict[tuple[str, str], Record]:
    return {(record.suite, record.variant): record for record in saved.run.records}
