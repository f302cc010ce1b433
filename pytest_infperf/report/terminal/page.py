"""Puts the terminal's report together: headings, tables and problems of each suite."""

from __future__ import annotations

from pytest_infperf.records.record import RunRecord
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
        Width of the terminal, in characters. Only a single longer word exceeds it.
    colour
        Whether to use colours. They only repeat what the words say.
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
    writer.tables(layout.by_importance(records, writer.width, writer.sanitize), records)
    for table in point_tables(records):
        writer.blank_line()
        writer.heading(table.title)
        shown = filled_records(records, table)
        writer.tables(layout.in_order(table.columns, shown, writer.width, writer.sanitize), shown)
        for note in table.notes:
            writer.note(note)
    for problem in problems(records):
        writer.blank_line()
        writer.problem(problem)
