"""The smallest slowdown that can be detected on this host, from A/A runs.

An A/A run compares a variant with itself: it measures pairs of two workers with the same artifact
for a whole budget. Its interval includes the scatter of the pairs and the difference between
processes. The latter is also reported separately.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.budget import Budget
from pytest_infperf.measure.paired import WorkerPairs, measure_ratio
from pytest_infperf.records.measured import Measured
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.host_noise import HostNoise
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.settings import Settings
from pytest_infperf.stats.processes import typical_deviation, variance_between
from pytest_infperf.suite.backend import Backend
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.thresholds import Policy, Thresholds

_TWIN = "calibration-twin"
_FOUND_SURELY = 2.0
"""Number of half-widths at which a slowdown is nearly always detected: the interval then contains 0
only if the error of the estimate is a whole half-width."""


@dataclass(frozen=True)
class AARun:
    """One run of a variant against itself."""

    by_process: Sequence[Sequence[float]]
    """The log ratios of the pairs of each pair of processes."""
    measured: Measured
    """The regression at the last look."""

    @property
    def offset(self) -> float:
        """The fraction by which one of two equal sides appears slower."""
        return self.measured.measures["regression"].value

    @property
    def pairs(self) -> int:
        """The number of pairs."""
        return self.measured.measures["regression"].n

    @property
    def half_width(self) -> float:
        """The half-width of the interval at the last look, as a fraction."""
        regression = self.measured.measures["regression"]
        assert regression.low is not None
        assert regression.high is not None
        return math.expm1((math.log1p(regression.high) - math.log1p(regression.low)) / 2)


@dataclass(frozen=True)
class NoiseFloor:
    """The smallest difference of a variant that can be detected on this host."""

    variant: str
    budget_s: float
    confidence: float
    pairs: int
    """Median number of pairs of a run."""
    processes: int
    """Median number of pairs of processes of a run."""
    half_width: float
    """Median half-width of the intervals of the runs, as a fraction."""
    between_processes: float
    """Standard deviation of the ratio of two processes of the same code, as a fraction."""

    @property
    def smallest_slowdown(self) -> float:
        """The smallest slowdown that a run of this budget nearly always detects, as a fraction."""
        return _FOUND_SURELY * self.half_width

    def budget_for(self, margin: float) -> float:
        """Return the budget in seconds that a margin needs.

        The interval shrinks with the square root of the time.
        """
        return self.budget_s * max(1.0, (self.half_width / margin) ** 2)


@dataclass(frozen=True)
class TightLimit:
    """A limit on `regression`, and the budget in seconds that it needs on this host."""

    source: str
    text: str
    variant: str
    needed_s: float


def calibrate(
    configured: ConfiguredSuite,
    variant_id: str,
    settings: Settings,
    policy: Policy,
    runs: int,
    noise: HostNoise,
) -> NoiseFloor:
    """Measure a variant against itself in several runs, and store the difference between processes.

    Raises
    ------
    UserError, WorkerError
        If the variant cannot be built or started.
    """
    budget_s = settings.budget_s or policy.budget_s
    same = configured.suite.variant(variant_id)
    results = []
    for run in aa_runs(configured, same, variant_id, settings, policy, budget_s, runs):
        results.append(run)
        noise.add(run.by_process)
    shown = [
        (len(run.by_process) - 1, variance_between(run.by_process))
        for run in results
        if len(run.by_process) > 1
    ]
    return NoiseFloor(
        variant_id,
        budget_s,
        policy.confidence,
        round(median(run.pairs for run in results)),
        round(median(len(run.by_process) for run in results)),
        median(run.half_width for run in results),
        typical_deviation(shown) if shown else 0.0,
    )


def aa_runs(
    configured: ConfiguredSuite,
    twin: Backend,
    variant_id: str,
    settings: Settings,
    policy: Policy,
    budget_s: float,
    runs: int,
) -> Iterator[AARun]:
    """Yield runs of a variant against a twin, each with new processes and a whole budget.

    Parameters
    ----------
    configured : ConfiguredSuite
        The suite.
    twin : Backend
        The backend to compare with the variant, usually the variant itself.
    variant_id : str
        The id of the variant.
    settings, policy
        The settings of the run, and the confidence of verdicts.
    budget_s : float
        Measuring time of one run, in seconds.
    runs : int
        The number of runs.
    """
    suite = configured.suite.with_variants([replace(twin, id=_TWIN)])
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
            baseline, variant = suite_run.worker(variant_id), suite_run.worker(_TWIN)
            order = endless_order(suite_run.numbers, seed)
            pairs = WorkerPairs(baseline, variant, order, random.Random(seed))
            measured = measure_ratio(
                "regression",
                pairs,
                budget=Budget(budget_s),
                confidence=policy.confidence,
                remaining=lambda measured: math.inf,
            )
        finally:
            suite_run.close()
        yield AARun([*filter(None, pairs.by_process)], measured)


def too_tight(
    floor: NoiseFloor,
    thresholds: Thresholds,
    configured: ConfiguredSuite,
    host_names: Sequence[str],
) -> Iterator[TightLimit]:
    """Yield the limits on `regression` that equal code does not pass within the budget."""
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
                if needed_s > floor.budget_s:
                    yield TightLimit(gate.source, gate.limit.text, variant_id, needed_s)


def configured_suite(address: SuiteAddress, baseline_id: str | None) -> ConfiguredSuite:
    """Return the suite at an address with a baseline, by default the suite's own."""
    suite = address.load()
    return ConfiguredSuite(suite, address, baseline_id or suite.baseline)
