"""Qualities of generated text beside the metrics: agreement of tokens, and perplexity."""

from __future__ import annotations

from pytest_infperf import errors
from pytest_infperf.measure.perplexity import measured_text
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.measure.token_agreement import token_agreement
from pytest_infperf.records.measured import Measured
from pytest_infperf.run.context import VariantContext

__tracebackhide__ = errors.meant_for_the_user


def compare_tokens(context: VariantContext, ours: SetRun, theirs: SetRun | None) -> list[Measured]:
    """Compare the tokens of a run with those of the baseline; empty if there are none."""
    run = context.suite_run
    if theirs is None or not run.suite.task.generates:
        return []
    if reason := _why_not_compared(context, ours, theirs):
        return [Measured(missing=dict.fromkeys(("token_agreement", "first_difference"), reason))]
    return [
        token_agreement(
            ours,
            theirs,
            confidence=context.confidence,
            seed=context.seed,
            whole_set=run.scoring.whole_set,
        )
    ]


def _why_not_compared(context: VariantContext, ours: SetRun, theirs: SetRun) -> str:
    decoding = context.suite_run.suite.task.decoding
    if decoding.get("do_sample") or decoding.get("beams", 1) != 1:
        return "tokens are compared only if the task decodes greedily"
    for variant_id, outputs in ((context.variant_id, ours), (context.baseline_id, theirs)):
        if not outputs.output_ids:
            return f"the tokens of the outputs of {variant_id} are not known, only their texts"
    return ""


def score_text(context: VariantContext) -> list[Measured]:
    """Measure the perplexity of the task's text; empty if the task has none."""
    runs = context.suite_run.text_runs
    if runs is None:
        return []
    ours = runs.run(context.variant_id)
    has_other = context.baseline_id is not None and not context.is_baseline
    if ours.windows:
        evidence = context.record.evidence
        signature = {"perplexity": runs.signature(ours)}
        evidence.signatures = {**(evidence.signatures or {}), **signature}
    return measured_text(ours, runs.baseline() if has_other else None, context.confidence)
