"""Quality: the task's metrics on the outputs of a run, and paired differences to other runs.

The interval of a score is a percentile bootstrap over samples; both sides of a difference have the
same resamples.

References
----------
Koehn 2004, "Statistical significance tests for machine translation evaluation".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats import bootstrap
from pytest_infperf.stats.proportion import clopper_pearson
from pytest_infperf.suite.outputs import is_finite
from pytest_infperf.suite.task import Metric

_WRONG_TEXT = "\uffff"
"""Scored in place of a text that is not there: a character that no text has."""


@dataclass(frozen=True)
class ScorableOutputs:
    """Outputs in a form that every metric takes, and which of them are not finite."""

    outputs: Sequence[Any]
    """The outputs, with one that is wrong in place of each that is not finite."""
    not_finite: frozenset[int]
    """The positions of outputs that are not finite."""

    @classmethod
    def of(cls, outputs: Sequence[Any], references: Sequence[Any]) -> ScorableOutputs:
        """Return the outputs to score against the references."""
        not_finite = frozenset(
            position
            for position, (output, reference) in enumerate(zip(outputs, references, strict=True))
            if _is_missing(output, reference) or not is_finite(output)
        )
        scorable = [
            _wrong(reference) if position in not_finite else output
            for position, (output, reference) in enumerate(zip(outputs, references, strict=True))
        ]
        return cls(scorable, not_finite)

    @property
    def problem(self) -> str:
        """What is wrong with the outputs, in words; empty if all are finite."""
        if not self.not_finite:
            return ""
        return (
            f"{len(self.not_finite):,} of {len(self.outputs):,} outputs are not finite (NaN, "
            "infinite or missing)"
        )


def _is_missing(output: Any, reference: Any) -> bool:
    return output is None and reference is not None


def _wrong(reference: Any) -> Any:
    """Return an output of the reference's type that differs from it, and from all others."""
    texts = reference if isinstance(reference, list | tuple) else [reference]
    return _WRONG_TEXT if texts and all(isinstance(text, str) for text in texts) else math.nan


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

    def scorable(self, run: SetRun) -> ScorableOutputs:
        """Return the outputs of a run as they are scored."""
        return ScorableOutputs.of(run.outputs, [self.references[i] for i in run.numbers])

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
        scored = self.scorable(run)
        others = [(other and self.scorable(other)) for other in (baseline, before)]
        measures: dict[str, Measure] = {}
        differences: dict[str, Measure] = {}
        changes: dict[str, Measure] = {}
        for metric in self.metrics:
            statistics = metric.statistics(scored.outputs, references)
            low, high = bootstrap.interval(statistics, metric.score, self.confidence, self.seed)
            value = metric.score(statistics.sum(axis=0))
            measures[metric.name] = Measure(value, metric.unit, low, high, n)
            for other, results in zip(others, (differences, changes), strict=True):
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
            pairs = zip(run.outputs, baseline.outputs, strict=True)
            same = sum(a == b for i, (a, b) in enumerate(pairs) if i not in scored.not_finite)
            low, high = clopper_pearson(same, n, self.confidence)
            measures["agreement"] = Measure(same / n, "fraction", low, high, n)
        return Measured(
            measures,
            differences=differences,
            changes=changes,
            confidence=self.confidence,
            seconds=sum(run.batch_s),
            not_finite=scored.problem,
            baseline_not_finite=others[0].problem if others[0] else "",
            whole_set=self.whole_set,
        )
