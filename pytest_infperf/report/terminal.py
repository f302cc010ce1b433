"""The end of a run on the terminal: tables of each suite, what is broken, and what to do."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from pytest_infperf.report.spelling import in_ascii, printable
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import Layout, Spell, fit, side_by_side
from pytest_infperf.report.tables.sweeps import measured_at, point_tables

STYLES = {
    "pass": "green",
    "FAIL": "bold red",
    "inconclusive": "yellow",
    "inconcl.": "yellow",
    "INCONCLUSIVE": "bold yellow",
    "error": "magenta",
    "ERROR": "bold magenta",
    "SLOWER": "yellow",
}
INDENT = "    "
LINES_OF_A_REASON = 6


def render(run: RunRecord, width: int, colour: bool, unicode: bool = True) -> str:
    """The report of a run for a terminal of that width; empty when there are no records.

    Only a single word that is wider than the terminal sticks out. Colour repeats what words say.
    Without `unicode` everything is spelt in ASCII.
    """
    spell = printable if unicode else _ascii
    console = _console(width, colour)
    for name in dict.fromkeys(record.suite for record in run.records):
        records = [record for record in run.records if record.suite == name]
        if console.file.tell():
            console.print()
        _wrapped(console, spell(_title(name, records)), style="bold")
        _wrapped(console, spell(f"on {_host(run.host)}"), style="bold")
        if run.against:
            revision = f"{run.against['name']} ({run.against['commit'][:10]})"
            _wrapped(console, spell(f"regression and change against {revision}"), style="bold")
        rule = "─" if unicode else "-"
        _tables(console, records, fit(records, console.width, spell), spell, rule)
        for table in point_tables(records):
            console.print()
            _wrapped(console, spell(table.title), style="bold")
            its = measured_at(records, table.columns)
            layout = side_by_side(table.columns, its, console.width, spell)
            _tables(console, its, layout, spell, rule)
            for note in table.notes:
                _wrapped(console, spell(note), hanging=INDENT)
        for word, headline, remarks in (*_broken(records), *_errors(records), *_slower(records)):
            console.print()
            _wrapped(console, f"{word} {spell(headline)}", hanging=INDENT, styled=word)
            for remark in remarks:
                _wrapped(console, spell(remark), first=INDENT, hanging=INDENT)
    written = console.file
    assert isinstance(written, io.StringIO)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines())


def _title(suite: str, records: Sequence[Record]) -> str:
    parts = [suite, f"{len(records)} variants" if len(records) > 1 else "1 variant"]
    settings = _shared(records)
    if baseline := settings.get("baseline_id"):
        parts.append(f"baseline {baseline}")
    if confidence := settings.get("confidence"):
        parts.append(f"{100 * confidence:.4g} % confidence")
    if samples := settings.get("samples"):
        parts.append(f"{samples} samples")
    return " · ".join(parts)


def _shared(records: Sequence[Record]) -> dict[str, Any]:
    """What the variants of a suite have in common, from the first that knows it."""
    shared: dict[str, Any] = {}
    for record in records:
        for key, value in record.settings.entries().items():
            shared.setdefault(key, value)
        if cells.is_baseline(record):
            shared.setdefault("baseline_id", record.variant)
    return shared


def _host(host: Mapping[str, Any]) -> str:
    parts = [
        host.get("instance_type"),
        host.get("cpu_model") or "unknown CPU",
        _cores(host),
        *(host.get("gpus") or ()),
    ]
    return ", ".join(part for part in parts if part)


def _cores(host: Mapping[str, Any]) -> str | None:
    logical, physical = host.get("logical_cores"), host.get("physical_cores")
    cores = physical or logical
    if not cores:
        return None
    text = f"{cores} core{'s' if cores > 1 else ''}"
    if physical and logical and logical != physical:
        text += f" with {logical} threads"
    limits = [len(host.get("affinity") or ()), host.get("cgroup_cpu_cores")]
    usable = min((limit for limit in limits if limit), default=None)
    return f"{text}, {usable:g} usable" if usable and usable < (logical or cores) else text


def _tables(
    console: Console, records: Sequence[Record], layout: Layout, spell: Spell, rule: str
) -> None:
    for number, columns in enumerate(layout.tables):
        if number:
            console.print()
        table = _empty_table(rule)
        written = [column.texts(records, spell) for column in columns]
        for column, (header, *_) in zip(columns, written, strict=True):
            is_id = column.key == "variant"
            width = layout.id_width if is_id else cell_len(header)
            table.add_column(header, width=width, no_wrap=not is_id, overflow="fold")
        for row in zip(*(texts for _, *texts in written), strict=True):
            table.add_row(*(Text(cell, STYLES.get(cell.strip(), "")) for cell in row))
        console.print(table)


def _empty_table(rule: str) -> Table:
    blank = "    \n"
    return Table(
        box=Box(f"{blank * 2} {rule * 2} \n{blank * 5}", ascii=rule.isascii()),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _broken(records: Sequence[Record]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Word, headline and remarks of each gate that did not pass, the failed ones first."""
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        for record in records:
            for gate in record.gates:
                if gate.verdict is verdict:
                    source = f" ({gate.source})" if gate.source else ""
                    headline = f"{record.suite}[{record.variant}] {gate.why}{source}"
                    remarks = [gate.remedy, *_doubts(record, gate)]
                    yield verdict.name, headline, [remark for remark in remarks if remark]


def _doubts(record: Record, gate: GateRecord) -> Sequence[str]:
    """What its backend saw when building: why the variant may be no faster."""
    return record.evidence.doubts or [] if gate.measure == "speedup" else []


def _slower(records: Sequence[Record]) -> Iterator[tuple[str, str, Sequence[str]]]:
    for record in records:
        if doubts := cells.slower_than_baseline(record):
            speedup, _ = cells.value_of("speedup")(record)
            headline = f"{record.suite}[{record.variant}] has {speedup} of the baseline's speed"
            yield "SLOWER", headline, doubts


def _errors(records: Sequence[Record]) -> Iterator[tuple[str, str, Sequence[str]]]:
    for record in records:
        for error in record.errors:
            first, *more = [line for line in error.splitlines() if line.strip()] or [
                "no reason given"
            ]
            left_out = len(more) - LINES_OF_A_REASON
            if left_out > 0:
                more = [f"... ({left_out} more lines)", *more[-LINES_OF_A_REASON:]]
            yield "ERROR", f"{record.suite}[{record.variant}] {first}", more


def _wrapped(
    console: Console,
    text: str,
    *,
    first: str = "",
    hanging: str = "",
    styled: str = "",
    style: str = "",
) -> None:
    """Break between words only, so that names and paths can be copied whole."""
    lines = textwrap.wrap(
        text,
        console.width,
        initial_indent=first,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines):
        shown = Text(line, style)
        if styled and not number:
            shown.stylize(STYLES[styled], 0, len(styled))
        console.print(shown, soft_wrap=True)


def _console(width: int, colour: bool) -> Console:
    """Of exactly that width and colour, whatever the environment says of its own terminal."""
    return Console(
        file=io.StringIO(),
        width=width,
        height=100,
        force_terminal=colour,
        color_system="standard" if colour else None,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={},
    )


def _ascii(text: str) -> str:
    return in_ascii(printable(text))
