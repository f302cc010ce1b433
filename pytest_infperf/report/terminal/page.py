"""The terminal report: headings, tables and problems of each suite."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_infperf.records.evidence import VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord
from pytest_infperf.report.tables.generated_text import generated_text_tables
from pytest_infperf.report.tables.points import filled_records, point_tables
from pytest_infperf.report.terminal import layout
from pytest_infperf.report.terminal.headings import host_heading, suite_heading
from pytest_infperf.report.terminal.problems import problems
from pytest_infperf.report.terminal.writer import Writer


def render(run: RunRecord, width: int, colour: bool, unicode: bool = True) -> str:
    """Return the report of a run, or an empty string if the run has no records.

    Parameters
    ----------
    run
        The run with its records.
    width
        Width of the terminal, in characters. Only a longer word can exceed it.
    colour
        Whether to use colours. They add no information to the text.
    unicode
        Whether the terminal shows Unicode; if not, the report is ASCII.
    """
    writer = Writer(width, colour, unicode)
    for number, suite in enumerate(dict.fromkeys(record.suite for record in run.records)):
        if number:
            writer.blank_line()
        _write_suite(writer, suite, run)
    return writer.text()


def _write_suite(writer: Writer, suite: str, run: RunRecord) -> None:
    records = [record for record in run.records if record.suite == suite]
    writer.heading(suite_heading(suite, records))
    writer.heading(f"on {host_heading(run.host)}")
    if run.against:
        revision = f"{run.against['name']} ({run.against['commit'][:10]})"
        writer.heading(f"regression and change against {revision}")
    rows = [*_unselected_baseline(records), *records]
    writer.tables(layout.by_importance(rows, writer.width, writer.sanitize), rows)
    for table in (*generated_text_tables(records), *point_tables(records)):
        writer.blank_line()
        writer.heading(table.title)
        shown = filled_records(records, table)
        writer.tables(layout.in_order(table.columns, shown, writer.width, writer.sanitize), shown)
        for note in table.notes:
            writer.note(note)
    for problem in problems(records):
        writer.blank_line()
        writer.problem(problem)


def _unselected_baseline(records: Sequence[Record]) -> list[Record]:
    """Return a row for the baseline of speed-ups if no test of it was selected."""
    baselines = [r.settings.baseline_id for r in records if "speedup" in r.measures]
    present = {record.variant for record in records}
    return [
        Record(
            records[0].suite,
            name,
            {"speedup": Measure(1.0, "ratio")},
            settings=VariantSettings(baseline=True),
        )
        for name in dict.fromkeys(baselines)
        if name and name not in present
    ]
