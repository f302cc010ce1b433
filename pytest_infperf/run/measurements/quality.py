"""`variant.quality()`: the metrics on the outputs of the run for throughput, and perplexity."""

from __future__ import annotations

from dataclasses import replace

from pytest_infperf import errors
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.gates.result import Result
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.evidence import NotFiniteOutputs
from pytest_infperf.records.time_spent import spending
from pytest_infperf.run.context import VariantContext
from pytest_infperf.run.measurements.generated_text import compare_tokens, score_text

__tracebackhide__ = errors.meant_for_the_user

_NAMED_SAMPLES = 20
"""The maximum number of samples with outputs that are not finite in the record."""


def measure_quality(context: VariantContext, batch: int) -> Result:
    """Score the variant, with its differences from the baseline and the other revision."""
    run = context.suite_run
    outputs = run.scored_set(context.variant_id, batch)
    baseline = None
    if run.baseline_id is not None and not context.is_baseline:
        run.beside_baseline(context.variant_id)
        baseline = run.scored_set(run.baseline_id, batch)
    before, missing = _before(context, batch)
    with spending("scoring"):
        measured = run.scoring.quality(outputs, baseline, before)
        of_tokens = compare_tokens(context, outputs, baseline)
    measured = replace(measured, missing={**measured.missing, **missing})
    _enter_evidence(context, outputs)
    parts = [measured, *of_tokens, *score_text(context)]
    return context.result(parts, context.gates_of("quality"), batch)


def _before(context: VariantContext, batch: int) -> tuple[SetRun | None, dict[str, str]]:
    """Return the run of the other revision, or the reason for each metric why it is missing."""
    if not context.revision_pair:
        return None, {}
    try:
        return context.revision_pair.set_run(batch), {}
    except (UserError, WorkerError) as failure:
        reason = context.note_unable(failure)
        return None, dict.fromkeys(context.suite_run.scoring.names, reason)


def _enter_evidence(context: VariantContext, outputs: SetRun) -> None:
    scoring, evidence = context.suite_run.scoring, context.record.evidence
    if outputs.shares:
        evidence.quality_parts = dict(outputs.shares)
    evidence.quality_metric = scoring.main_metric.name
    evidence.quality_higher_is_better = scoring.main_metric.higher_is_better
    evidence.whole_set = scoring.whole_set
    if positions := sorted(scoring.scorable(outputs).not_finite):
        evidence.not_finite_outputs = NotFiniteOutputs(
            len(positions),
            len(outputs.outputs),
            [outputs.numbers[position] for position in positions[:_NAMED_SAMPLES]],
        )
    evidence.signatures = {metric.name: scoring.signature(metric) for metric in scoring.metrics}
