"""Quality: the task's metrics on the outputs of a run, and paired differences to other runs.

The interval of a score is a percentile bootstrap over samples; both sides of a difference have the
same resamples.

References
----------
Koehn 2004, "Statistical significance tests for machine translation evaluation".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats import bootstrap
from pytest_infperf.stats.proportion import clopper_pearson
from pytest_infperf.suite.task import Metric


@dataclass(frozen=True)
class Scoring:
    """Scores the outputs of all variants of a suite in the same way."""

    metrics: Sequence[Metric]
    references: Sequence[Any]
    """The references of all samples of the task."""
    confidence: float
    """The confidence of intervals."""
    seed: int
    """The seed of the bootstrap."""
    whole_set: bool
    """Whether the quality set is the whole test set."""

    @property
    def names(self) -> list[str]:
        """The names of the metrics."""
        return [metric.name for metric in self.metrics]

    def quality(
        self,
        run: SetRun,
        baseline: SetRun | None,
        before: SetRun | None = None,
    ) -> Measured:
        """Score a run, with its differences to other runs on the same samples.

        Parameters
        ----------
        run : SetRun
            The run of the variant.
        baseline : SetRun or None
            The run of the baseline, for differences and agreement.
        before : SetRun, optional
            The run of the same variant at the other revision, for the changes since then.
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
            for other, results in ((baseline, differences), (before, changes)):
                if other:
                    difference, low, high = bootstrap.paired_difference(
                        statistics,
                        metric.statistics(other.outputs, references),
                        metric.score,
                        self.confidence,
                        self.seed,
                    )
                    results[metric.name] = Measure(difference, metric.unit, low, high, n)
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
