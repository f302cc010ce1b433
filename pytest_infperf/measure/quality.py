"""Quality: the task's metrics on the outputs of a run, and paired differences from other runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_infperf.errors import UserError
from pytest_infperf.measure.scorable import ScorableOutputs
from pytest_infperf.measure.score import Bounds, Score, is_of_baseline, is_sum, score_of
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.stats import bootstrap
from pytest_infperf.stats.proportion import clopper_pearson
from pytest_infperf.suite.metric import AnyMetric
from pytest_infperf.suite.outputs import UnusableSample, is_absent


class _Scored(NamedTuple):
    """The outputs that a metric scores, and their references."""

    outputs: Sequence[Any]
    references: Sequence[Any]


@dataclass(frozen=True)
class Scoring:
    """Scores the outputs of all variants of a suite in the same way."""

    metrics: Sequence[AnyMetric]
    references: Sequence[Any]
    """The references of all samples of the task."""
    confidence: float
    """The confidence of intervals."""
    seed: int
    """The seed of the bootstrap."""
    whole_set: bool
    """Whether the quality set is the whole test set."""
    of_task: Callable[[Sequence[Any], Sequence[Any]], tuple[Sequence[Any], Sequence[Any]]] = _Scored
    """Returns the outputs and references that the task scores."""

    @property
    def names(self) -> list[str]:
        """The names of the metrics."""
        return [metric.name for metric in self.metrics]

    @property
    def main_metric(self) -> AnyMetric:
        """The first metric that every variant has, or else the first one."""
        own = (metric for metric in self.metrics if not is_of_baseline(metric))
        return next(own, self.metrics[0])

    def scorable(self, run: SetRun) -> ScorableOutputs:
        """Return the outputs of a run in the form in which they are scored."""
        return ScorableOutputs.of(run.outputs, [self.references[i] for i in run.numbers])

    def quality(
        self,
        run: SetRun,
        baseline: SetRun | None,
        before: SetRun | None = None,
    ) -> Measured:
        """Score a run, with its differences from other runs on the same samples.

        Parameters
        ----------
        run : SetRun
            The run of the variant.
        baseline : SetRun or None
            The run of the baseline, for differences, agreement, and metrics that compare outputs
            with the baseline's.
        before : SetRun, optional
            The run of the same variant at the other revision, for changes since that revision.
        """
        numbers = run.numbers
        scored = self.scorable(run)
        others = [self.scorable(other) if other else None for other in (baseline, before)]
        ours = self._of_task(scored, numbers)
        theirs = [self._of_task(other, numbers) if other else None for other in others]
        measures: dict[str, Measure] = {}
        differences: dict[str, Measure] = {}
        changes: dict[str, Measure] = {}
        undefined: dict[str, str] = {}
        missing: dict[str, str] = {}
        n = len(ours.outputs)
        for metric in self.metrics:
            name, unit = metric.name, metric.unit
            if is_of_baseline(metric):
                if others[0]:
                    beside = _Scored(scored.outputs, others[0].outputs)
                    score = self._score(metric, beside, numbers)
                    low, high = self._bounds(metric, score, len(numbers))
                    measures[name] = Measure(score.value, unit, low, high, len(numbers))
                continue
            score = self._score(metric, ours, numbers)
            if score.resamples is None:
                undefined[name] = _why_undefined(name, scored)
                continue
            low, high = self._bounds(metric, score, n)
            measures[name] = Measure(score.value, unit, low, high, n)
            for other, other_scored, results in zip(
                others, theirs, (differences, changes), strict=True
            ):
                if not other or not other_scored:
                    continue
                other_score = self._score(metric, other_scored, numbers)
                if other_score.resamples is None:
                    side = "the baseline" if results is differences else "the other revision"
                    missing[name] = f"{side}: {_why_undefined(name, other)}"
                    continue
                low, high = score.gap_bounds(
                    other_score, n, self.confidence, higher_is_better=metric.higher_is_better
                )
                results[name] = Measure(score.value - other_score.value, unit, low, high, n)
        if theirs[0] and not any(map(is_of_baseline, self.metrics)):
            pairs = zip(ours.outputs, theirs[0].outputs, strict=True)
            same = sum(a == b for a, b in pairs if not is_absent(a))
            low, high = clopper_pearson(same, n, self.confidence)
            measures["agreement"] = Measure(same / n, "fraction", low, high, n)
        return Measured(
            measures,
            differences=differences,
            changes=changes,
            confidence=self.confidence,
            missing=missing | undefined,
            undefined=undefined,
            seconds=sum(run.batch_s),
            not_finite=scored.problem,
            baseline_not_finite=others[0].problem if others[0] else "",
            whole_set=self.whole_set,
        )

    def signature(self, metric: AnyMetric) -> str:
        """Return the metric's signature, with the number of resamples that were scored."""
        if is_sum(metric):
            return metric.signature()
        return f"{metric.signature()}; interval of {bootstrap.SAMPLE_RESAMPLES:,} scored resamples"

    def _bounds(self, metric: AnyMetric, score: Score, n: int) -> Bounds:
        if is_of_baseline(metric) and score.resamples is not None:
            return bootstrap.bounds(score.resamples, n, self.confidence)
        return score.bounds(n, self.confidence, higher_is_better=metric.higher_is_better)

    def _of_task(self, side: ScorableOutputs, numbers: Sequence[int]) -> _Scored:
        return _Scored(*self.of_task(side.outputs, [self.references[i] for i in numbers]))

    def _score(self, metric: AnyMetric, scored: _Scored, numbers: Sequence[int]) -> Score:
        try:
            return score_of(metric, *scored, confidence=self.confidence, seed=self.seed)
        except UnusableSample as error:
            number = numbers[error.position]
            raise UserError(f"{metric.name} of sample {number}: {error.problem}") from None


def _why_undefined(name: str, scored: ScorableOutputs) -> str:
    if scored.problem:
        return f"{name} is not defined: {scored.problem}"
    return (
        f"{name} is not defined for these {len(scored.outputs):,} outputs and references: check "
        "both (a correlation of equal outputs is not defined, nor a ranking without relevant ids)"
    )
