"""How small a slowdown this host can show: a variant measured against itself, in new processes.

One A/A run is the pairs of two workers with the same artifact over a whole budget. How the pairs of
one run scatter says how wide its interval is; how the runs differ says what two processes of the
same variant differ by for as long as they live, which no interval within one run holds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, median, variance

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.paired import FIRST_LOOK, WorkerPairs, measure_regression
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.settings import Settings
from pytest_infperf.stats import ratio, sequential
from pytest_infperf.suite.backend import Backend
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.thresholds import Policy, Thresholds

_TWIN = "calibration-twin"
_FOUND_SURELY = 2.0
"""A slowdown of twice the half-width is found nearly always: its own interval then ends at nought
only when the estimate is off by a whole half-width."""


@dataclass(frozen=True)
class AARun:
    log_ratios: Sequence[float]
    seconds: float

    @property
    def offset(self) -> float:
        """By which fraction one of two equal sides seemed slower."""
        return math.expm1(ratio.hodges_lehmann(self.log_ratios))

    def half_width(self, confidence: float) -> float:
        """Of the interval at the last look of a run that has as many pairs."""
        low, high = ratio.signed_rank_interval(self.log_ratios, self._share(confidence))
        return math.expm1((high - low) / 2)

    def deviation(self, confidence: float) -> float:
        """The standard deviation of its estimate that its own pairs account for."""
        z = NormalDist().inv_cdf((1 + self._share(confidence)) / 2)
        return self.half_width(confidence) / z

    def _share(self, confidence: float) -> float:
        looks = sequential.looks(FIRST_LOOK, max(FIRST_LOOK, len(self.log_ratios)))
        return sequential.look_confidence(confidence, len(looks))


@dataclass(frozen=True)
class NoiseFloor:
    variant: str
    budget_s: float
    confidence: float
    pairs: int
    half_width: float
    """Half of the interval of a run, as a fraction: the median of the runs."""
    between_runs: float
    """How the estimates of the runs scatter beyond what their pairs account for: a standard
    deviation, as a fraction."""

    @property
    def smallest_slowdown(self) -> float:
        """The least slowdown that a run in this budget finds nearly always."""
        return _FOUND_SURELY * self.half_width + self.between_runs

    def budget_for(self, margin: float) -> float | None:
        """Seconds that make the interval narrow enough for a limit; None when no budget does.

        The interval shrinks with the square root of the time. What processes differ by does not.
        """
        room = margin - 2 * self.between_runs
        if room <= 0:
            return None
        return self.budget_s * max(1.0, (self.half_width / room) ** 2)


@dataclass(frozen=True)
class TightLimit:
    """A regression limit beside what this host needs for it."""

    source: str
    text: str
    variant: str
    needed_s: float | None


def calibrate(
    configured: ConfiguredSuite, variant_id: str, settings: Settings, policy: Policy, runs: int
) -> NoiseFloor:
    """Runs against itself; raises UserError or WorkerError when the variant cannot be served."""
    budget_s = settings.budget_s or policy.budget_s
    same = configured.suite.variant(variant_id)
    found = list(aa_runs(configured, same, variant_id, settings, policy, budget_s, runs))
    return NoiseFloor(
        variant_id,
        budget_s,
        policy.confidence,
        round(median(len(run.log_ratios) for run in found)),
        median(run.half_width(policy.confidence) for run in found),
        between_runs(found, policy.confidence),
    )


def between_runs(runs: Sequence[AARun], confidence: float) -> float:
    within = sum(run.deviation(confidence) ** 2 for run in runs) / len(runs)
    return math.sqrt(max(0.0, variance(run.offset for run in runs) - within))


def aa_runs(
    configured: ConfiguredSuite,
    rival: Backend,
    variant_id: str,
    settings: Settings,
    policy: Policy,
    budget_s: float,
    runs: int,
) -> Iterator[AARun]:
    """Whole budgets of pairs of a variant and a rival of it, each run with processes of its own."""
    twin = replace(rival, id=_TWIN)
    suite = configured.suite.with_variants([twin])
    for number in range(runs):
        seed = settings.seed + number
        suite_run = SuiteRun(
            ConfiguredSuite(suite, configured.address, variant_id, configured.more_metrics),
            replace(settings, seed=seed),
            policy,
            ArtifactCache(settings.cache, lambda notice: None),
            selected=[_TWIN],
            report_progress=lambda variant, what: None,
        )
        try:
            baseline, variant = suite_run.beside_baseline(_TWIN)
            order = endless_order(suite_run.numbers, seed)
            pairs = WorkerPairs(baseline, variant, order, random.Random(seed))
            measure_regression(
                pairs, budget_s=budget_s, confidence=policy.confidence, decided=lambda _: False
            )
        finally:
            suite_run.close()
        yield AARun(pairs.log_ratios, pairs.seconds)


def too_tight(
    floor: NoiseFloor,
    thresholds: Thresholds,
    configured: ConfiguredSuite,
    host_names: Sequence[str],
) -> Iterator[TightLimit]:
    """Limits of `regression` that this host cannot decide for equal code within the budget."""
    for variant_id in configured.suite.variant_ids:
        for gate in thresholds.gates_for(
            configured.suite.name,
            variant_id,
            configured.catalogue,
            host_names,
            configured.baseline_id,
        ):
            if gate.measure == "regression":
                needed_s = floor.budget_for(gate.limit.value)
                if needed_s is None or needed_s > floor.budget_s:
                    yield TightLimit(gate.source, gate.limit.text, variant_id, needed_s)


def collected_suite(address: SuiteAddress, baseline_id: str | None) -> ConfiguredSuite:
    suite = address.load()
    return ConfiguredSuite(suite, address, baseline_id or suite.baseline)
