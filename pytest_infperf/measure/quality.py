"""Quality: the task's metrics on the outputs of a run, and their paired difference to the baseline.

The interval of a score is a percentile bootstrap over samples, the same resamples for both (Koehn
2004, "Statistical significance tests for machine translation evaluation").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measured import Measured
from pytest_infperf.records.record import Measure
from pytest_infperf.stats import bootstrap
from pytest_infperf.stats.proportion import clopper_pearson
from pytest_infperf.suite.task import Metric


@dataclass(frozen=True)
class Scoring:
    """How outputs are scored: the same for every variant of a suite."""

    metrics: Sequence[Metric]
    references: Sequence[Any]
    confidence: float
    seed: int
    whole_set: bool

    @property
    def names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def quality(
        self,
        run: SetRun,
        baseline: SetRun | None,
        before: SetRun | None = None,
    ) -> Measured:
        """Scores of a run; with a baseline's on the same samples, differences and agreement.

        `before` is the same variant's run at another revision: with it, what changed since.
        """
        references = [self.references[i] for i in run.numbers]
        n = len(references)
        measures: dict[str, Measure] = {}
        differences: dict[str, Measure] = {}
        changes: dict[str, Measure] = {}
        for metric in self.metrics:
            statistics = metric.statistics(run.outputs, references)
            low, high = bootstrap.interval(statistics, metric.score, self.confidence, self.seed)
            value = metric.score(statistics.sum(axis=0))
            measures[metric.name] = Measure(value, metric.unit, low, high, n)
            for other, found in ((baseline, differences), (before, changes)):
                if other:
                    difference, low, high = bootstrap.paired_difference(
                        statistics,
                        metric.statistics(other.outputs, references),
                        metric.score,
                        self.confidence,
                        self.seed,
                    )
                    found[metric.name] = Measure(difference, metric.unit, low, high, n)
        if baseline:
            same = sum(a == b for a, b in zip(run.outputs, baseline.outputs, strict=True))
            low, high = clopper_pearson(same, n, self.confidence)
            measures["agreement"] = Measure(same / n, "fraction", low, high, n)
        return Measured(
            measures,
            differences=differences,
            changes=changes,
            confidence=self.confidence,
            seconds=sum(run.batch_s),
            whole_set=self.whole_set,
        )
