"""A run as Markdown, for the summary of a CI job: problems first, then a table per suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.report.characters import printable
from pytest_infperf.report.problems import (
    at_try,
    conclusion,
    tried_again,
    unmet_gates,
    variant_name,
)
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import Column, filled_columns

_ESCAPED = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]()#+!|~"} | {"<": "&lt;", "&": "&amp;"})
_MARKS = {
    cells.VERDICT_WORDS[Verdict.PASS]: "✅ pass",
    cells.VERDICT_WORDS[Verdict.FAIL]: "❌ **FAIL**",
    cells.VERDICT_WORDS[Verdict.INCONCLUSIVE]: "❔ inconclusive",
    cells.ERROR_WORD: "💥 error",
}


def summary(run: RunRecord) -> str:
    """Return the summary of a run, or an empty string if the run has no records.

    All values are escaped, so they can neither open an HTML element nor break a table.
    """
    if not run.records:
        return ""
    lines = ["## Inference", ""]
    lines += problems(run.records) or [conclusion(run.records)]
    lines += _retried(run.records)
    lines += tables(run)
    return "\n".join(lines) + "\n"


def problems(records: Sequence[Record]) -> list[str]:
    """Return a list item for each limit that did not pass and for each error."""
    return [*_unmet_gates(records), *_errors(records)]


def tables(run: RunRecord) -> list[str]:
    """Return the lines of a heading and a table for each suite."""
    lines = []
    for name in dict.fromkeys(record.suite for record in run.records):
        records = [record for record in run.records if record.suite == name]
        lines += ["", f"### {escape(name)}", "", f"on {place(run)}", "", *_table(records)]
    return lines


def place(run: RunRecord) -> str:
    """Return the host and the other revision of a run, escaped."""
    host = " ".join(str(run.host.get(k) or "") for k in ("instance_type", "cpu_model")).strip()
    against = f", against {escape(run.against['name'])}" if run.against else ""
    return f"{escape(host or 'unknown host')}{against}"


def table_row(values: Sequence[str]) -> str:
    """Return a row of a table; the values must be escaped."""
    return f"| {' | '.join(values)} |"


def escape(text: str) -> str:
    """Return the text in one line, without any character that has a meaning in Markdown."""
    return printable(text).translate(_ESCAPED)


def _table(records: Sequence[Record]) -> list[str]:
    columns = filled_columns(records, always_shown=("verdict",))
    rule = "|".join("---:" if column.numeric else "---" for column in columns)
    return [
        table_row([escape(column.header) for column in columns]),
        f"|{rule}|",
        *(table_row([_cell(column, record) for column in columns]) for record in records),
    ]


def _cell(column: Column, record: Record) -> str:
    head, tail = column.make_cell(record)
    if column.key == "verdict":
        return _MARKS.get(head, head)
    return escape(f"{head} {tail}".strip())


def _unmet_gates(records: Sequence[Record]) -> Iterator[str]:
    for record, gate in unmet_gates(records):
        mark = _MARKS[cells.VERDICT_WORDS[gate.verdict]]
        source = f" ({escape(gate.source)})" if gate.source else ""
        remedy = f"\n  {escape(gate.remedy)}" if gate.remedy else ""
        sentence = f"{variant_name(record)} {gate.why}{at_try(gate)}"
        yield f"- {mark} {escape(sentence)}{source}{remedy}"


def _retried(records: Sequence[Record]) -> Iterator[str]:
    passed = [pair for pair in tried_again(records) if pair[1].verdict is Verdict.PASS]
    if passed:
        yield ""
    for record, gate in passed:
        sentence = f"{variant_name(record)} {gate.why}, passed{at_try(gate)}"
        yield f"- {_MARKS[cells.VERDICT_WORDS[Verdict.PASS]]} {escape(sentence)}"


def _errors(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        for error in record.errors:
            yield f"- {_MARKS[cells.ERROR_WORD]} {escape(variant_name(record))}: {escape(error)}"
