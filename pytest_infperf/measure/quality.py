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


class _Side(NamedTuple):
    """The outputs of a run, and what of them a metric scores."""

    outputs: ScorableOutputs
    scored: _Scored


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
        ours = self._side(run, numbers)
        theirs = self._side(baseline, numbers) if baseline else None
        earlier = self._side(before, numbers) if before else None
        scores = [
            (metric, self._score(metric, ours.scored, numbers))
            for metric in self.metrics
            if not is_of_baseline(metric)
        ]
        undefined = {
            metric.name: _why_undefined(metric.name, ours.outputs)
            for metric, score in scores
            if score.resamples is None
        }
        defined = [(metric, score) for metric, score in scores if score.resamples is not None]
        n = len(ours.scored.outputs)
        measures = {metric.name: self._measure(metric, score, n) for metric, score in defined}
        if theirs:
            measures |= self._compared(ours, theirs, numbers)
        missing: dict[str, str] = {}
        differences = self._gaps(defined, n, theirs, numbers, "the baseline", missing)
        changes = self._gaps(defined, n, earlier, numbers, "the other revision", missing)
        return Measured(
            {name: measures[name] for name in (*self.names, "agreement") if name in measures},
            differences=differences,
            changes=changes,
            confidence=self.confidence,
            missing=missing | undefined,
            undefined=undefined,
            seconds=sum(run.batch_s),
            not_finite=ours.outputs.problem,
            baseline_not_finite=theirs.outputs.problem if theirs else "",
            whole_set=self.whole_set,
        )

    def _side(self, run: SetRun, numbers: Sequence[int]) -> _Side:
        outputs = self.scorable(run)
        references = [self.references[i] for i in numbers]
        return _Side(outputs, _Scored(*self.of_task(outputs.outputs, references)))

    def _compared(self, ours: _Side, theirs: _Side, numbers: Sequence[int]) -> dict[str, Measure]:
        """Return the metrics that compare outputs with the baseline's; without any, agreement."""
        metrics = [metric for metric in self.metrics if is_of_baseline(metric)]
        if not metrics:
            return {"agreement": self._agreement(ours.scored.outputs, theirs.scored.outputs)}
        beside = _Scored(ours.outputs.outputs, theirs.outputs.outputs)
        return {
            metric.name: self._measure(metric, self._score(metric, beside, numbers), len(numbers))
            for metric in metrics
        }

    def _agreement(self, ours: Sequence[Any], theirs: Sequence[Any]) -> Measure:
        """Return the fraction of outputs that equal the baseline's."""
        n = len(ours)
        same = sum(a == b for a, b in zip(ours, theirs, strict=True) if not is_absent(a))
        low, high = clopper_pearson(same, n, self.confidence)
        return Measure(same / n, "fraction", low, high, n)

    def _gaps(
        self,
        scores: Sequence[tuple[AnyMetric, Score]],
        n: int,
        other: _Side | None,
        numbers: Sequence[int],
        other_name: str,
        missing: dict[str, str],
    ) -> dict[str, Measure]:
        """Return the differences of `n` scored outputs from another run; empty without one.

        The reasons for missing ones are added to `missing`.
        """
        gaps: dict[str, Measure] = {}
        if other is None:
            return gaps
        for metric, score in scores:
            other_score = self._score(metric, other.scored, numbers)
            if other_score.resamples is None:
                missing[metric.name] = f"{other_name}: {_why_undefined(metric.name, other.outputs)}"
                continue
            low, high = score.gap_bounds(
                other_score, n, self.confidence, higher_is_better=metric.higher_is_better
            )
            gap = score.value - other_score.value
            gaps[metric.name] = Measure(gap, metric.unit, low, high, n)
        return gaps

    def _measure(self, metric: AnyMetric, score: Score, n: int) -> Measure:
        low, high = self._bounds(metric, score, n)
        return Measure(score.value, metric.unit, low, high, n)

    def signature(self, metric: AnyMetric) -> str:
        """Return the metric's signature, with the number of resamples that were scored."""
        if is_sum(metric):
            return metric.signature()
        return f"{metric.signature()}; interval of {bootstrap.SAMPLE_RESAMPLES:,} scored resamples"

    def _bounds(self, metric: AnyMetric, score: Score, n: int) -> Bounds:
        if is_of_baseline(metric) and score.resamples is not None:
            return bootstrap.bounds(score.resamples, n, self.confidence)
        return score.bounds(n, self.confidence, higher_is_better=metric.higher_is_better)

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
