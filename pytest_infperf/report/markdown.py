"""A run as Markdown, for the summary of a CI job: broken gates first, then a table a suite."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_infperf.records.record import Record, RunRecord, Verdict
from pytest_infperf.report.spelling import printable
from pytest_infperf.report.tables.columns import filled_columns

_ESCAPED = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]()#+!|~"} | {"<": "&lt;", "&": "&amp;"})
_MARKS = {"pass": "✅ pass", "FAIL": "❌ **FAIL**", "error": "💥 error"}
_INCONCLUSIVE = "❔ inconclusive"


def summary(run: RunRecord) -> str:
    """Empty without records. Text of others can neither open HTML nor break a table."""
    if not run.records:
        return ""
    lines = ["## Inference", ""]
    troubles = [*_broken(run.records), *_errors(run.records)]
    lines += troubles or ["Every limit is kept."]
    host = " ".join(str(run.host.get(k) or "") for k in ("instance_type", "cpu_model")).strip()
    for name in dict.fromkeys(record.suite for record in run.records):
        records = [record for record in run.records if record.suite == name]
        against = f", against {text(run.against['name'])}" if run.against else ""
        lines += ["", f"### {text(name)}", "", f"on {text(host or 'unknown host')}{against}", ""]
        lines += table(records)
    return "\n".join(lines) + "\n"


def table(records: Sequence[Record]) -> list[str]:
    columns = filled_columns(records)
    rows = ["| " + " | ".join(text(column.header) for column in columns) + " |"]
    rows.append("|" + "|".join("---:" if column.numeric else "---" for column in columns) + "|")
    for record in records:
        found = []
        for column in columns:
            head, tail = column.write(record)
            if column.key == "verdict":
                found.append(_MARKS.get(head, _INCONCLUSIVE if head == "inconclusive" else head))
            else:
                found.append(text(f"{head} {tail}".strip()))
        rows.append("| " + " | ".join(found) + " |")
    return rows


def text(raw: str) -> str:
    return printable(raw).translate(_ESCAPED)


def _broken(records: Sequence[Record]) -> list[str]:
    marks = {Verdict.FAIL: _MARKS["FAIL"], Verdict.INCONCLUSIVE: _INCONCLUSIVE}
    return [
        f"- {mark} {text(f'{record.suite}[{record.variant}] {gate.why}')}"
        + (f" ({text(gate.source)})" if gate.source else "")
        + (f"\n  {text(gate.remedy)}" if gate.remedy else "")
        for verdict, mark in marks.items()
        for record in records
        for gate in record.gates
        if gate.verdict is verdict
    ]


def _errors(records: Sequence[Record]) -> list[str]:
    return [
        f"- {_MARKS['error']} {text(f'{record.suite}[{record.variant}]')}: {text(error)}"
        for record in records
        for error in record.errors
    ]
