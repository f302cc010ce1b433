"""Paragraphs below a suite's tables: gates that did not pass, errors, and slow variants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_infperf.records.record import Record, Verdict
from pytest_infperf.report.problems import (
    at_try,
    reasons_for_slowness,
    tried_again,
    unmet_gates,
    variant_name,
)
from pytest_infperf.report.tables import cells

_MAX_ERROR_LINES = 6
"""Number of lines shown after the first line of an error: the last ones, as in a traceback."""


@dataclass(frozen=True)
class Problem:
    word: str
    """Kind of problem, which begins the first line, such as FAIL, INCONCLUSIVE or RETRIED."""
    headline: str
    remarks: Sequence[str] = ()
    """Remedies and reasons, for the indented lines below."""


def problems(records: Sequence[Record]) -> Iterator[Problem]:
    """Yield the problems of a suite, the worst first."""
    for record, gate in unmet_gates(records):
        source = f" ({gate.source})" if gate.source else ""
        # The backend's remarks from the build explain why the variant may not be faster.
        doubts = record.evidence.doubts or [] if gate.measure == "speedup" else []
        remarks = [remark for remark in (gate.remedy, *doubts) if remark]
        headline = f"{variant_name(record)} {gate.why}{at_try(gate)}{source}"
        yield Problem(gate.verdict.name, headline, remarks)
    for record, gate in tried_again(records):
        if gate.verdict is Verdict.PASS:
            yield Problem("RETRIED", f"{variant_name(record)} {gate.why}, passed{at_try(gate)}")
    for record in records:
        for error in record.errors:
            yield _error(record, error)
    for record in records:
        if outputs := record.evidence.not_finite_outputs:
            yield Problem(
                "NOT FINITE",
                f"{variant_name(record)} {outputs.count:,} of {outputs.of:,} outputs are NaN, "
                "infinite or missing, and count as wrong",
                [f"samples {', '.join(map(str, outputs.samples))}"],
            )
    for record in records:
        if reasons := reasons_for_slowness(record):
            speedup = cells.value_of("speedup")(record).head
            yield Problem(
                "SLOWER", f"{variant_name(record)} has {speedup} of the baseline's speed", reasons
            )


def _error(record: Record, error: str) -> Problem:
    lines = [line for line in error.splitlines() if line.strip()]
    first, *more = lines or ["no reason given"]
    left_out = len(more) - _MAX_ERROR_LINES
    if left_out > 0:
        more = [f"... ({left_out} more lines)", *more[left_out:]]
    return Problem("ERROR", f"{variant_name(record)} {first}", more)
