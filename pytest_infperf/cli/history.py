"""`infperf history`: measures over saved runs, and the commits at which they changed."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pytest_infperf.errors import UserError
from pytest_infperf.history import remotes, transfer
from pytest_infperf.history.selection import require_matches
from pytest_infperf.history.series import (
    DEFAULT_IN_WORDS,
    RUNS_OF_A_LEVEL,
    Series,
    Shift,
    series_of,
    shifts_of,
)
from pytest_infperf.history.store import (
    DEFAULT_STORAGE,
    HistoryStore,
    SavedRun,
    no_saved_run,
    read,
    storage_folder,
    with_records,
)
from pytest_infperf.options import confidence
from pytest_infperf.records.file import write_text
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report.tables.grouped import Group, table_lines

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_RUNS = 24
_LEAST_SPAN = 0.05
"""Smallest difference, as a fraction of the value, that the full height of a bar represents."""
_HEADERS = ("measure", "runs", "first", "last", "course", "changes")

SeriesShifts = tuple[Series, list[Shift]]
"""A series and its changes of level."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="records to show instead of the storage; `push URL` copies saved runs to a remote "
        "storage and `pull URL` from it, for example s3://bucket/prefix or "
        "git+branch:infperf-history",
    )
    parser.add_argument(
        "--storage",
        default=DEFAULT_STORAGE,
        help="storage of pytest-benchmark (default: %(default)s)",
    )
    parser.add_argument(
        "--measures",
        default="",
        metavar="GLOB,GLOB",
        help=f"measures to show (default: {DEFAULT_IN_WORDS})",
    )
    parser.add_argument("--variants", default="*", metavar="GLOB", help="only these variants")
    parser.add_argument(
        "--confidence",
        type=confidence,
        default=0.99,
        help="confidence that no series shows a false change (default: %(default)s)",
    )
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="write an SVG plot per suite")
    parser.add_argument(
        "--fail-on-change", action="store_true", help="exit with 1 if the level of a series changed"
    )


def run(arguments: Namespace) -> int:
    console = Console(highlight=False, markup=False, emoji=False)
    if arguments.files[:1] in (["push"], ["pull"]):
        return _transfer(arguments, console)
    runs = _runs(arguments, console)
    globs = [glob for glob in arguments.measures.split(",") if glob]
    records = [record for run in runs for record in run.run.records]
    require_matches("--variants", [arguments.variants], {record.variant for record in records})
    require_matches("--measures", globs, {name for record in records for name in record.measures})
    series_shifts = shifts_of(series_of(runs, globs, arguments.variants), arguments.confidence)
    if not series_shifts:
        raise UserError("no saved run has a matching variant and measure")
    extent = f"{len(runs)} runs, from {runs[0]} to" if len(runs) > 1 else "1 run,"
    console.print(f"{extent} {runs[-1]}", soft_wrap=True)
    for suite in dict.fromkeys(series.suite for series, _ in series_shifts):
        of_suite = [pair for pair in series_shifts if pair[0].suite == suite]
        console.print()
        console.print(Text(suite, "italic"))
        right = ("runs", "first", "last")
        for line in table_lines(_HEADERS, _groups(of_suite), right, console.width):
            console.print(line, soft_wrap=True)
        if arguments.plot:
            path = _plot(suite, of_suite, arguments.plot)
            console.print(f"plot: {path}", soft_wrap=True)
    for series, shifts in series_shifts:
        for shift in shifts:
            console.print(_describe(series, shift), soft_wrap=True)
    if len(runs) < 2 * RUNS_OF_A_LEVEL:
        console.print(
            f"a change needs {RUNS_OF_A_LEVEL} runs before and {RUNS_OF_A_LEVEL} after it; "
            "`infperf compare` compares two runs",
            soft_wrap=True,
        )
    changed = any(shifts for _, shifts in series_shifts)
    return 1 if arguments.fail_on_change and changed else 0


def _transfer(arguments: Namespace, console: Console) -> int:
    """Copy saved runs to or from a remote storage, and print how many."""
    direction, *urls = arguments.files
    if len(urls) != 1:
        raise UserError(f"write `infperf history {direction} URL`, with one URL")
    if arguments.fail_on_change:
        raise UserError(
            f"--fail-on-change: {direction} only copies runs; run `infperf history "
            "--fail-on-change` on its own"
        )
    folder = Path.cwd()
    storage = storage_folder(arguments.storage, folder)
    remote = remotes.open_remote(urls[0], folder)

    def report_skipped(reason: str) -> None:
        console.print(f"skipped {reason}", soft_wrap=True)

    if direction == "push":
        copied, known = transfer.push(storage, remote, report_skipped)
        sentence = f"{remote}: {copied} pushed, {known} already there"
    else:
        copied, known = transfer.pull(storage, remote, report_skipped)
        sentence = f"{remote}: {copied} pulled, {known} already here"
    console.print(sentence, soft_wrap=True)
    return 0


def _runs(arguments: Namespace, console: Console) -> list[SavedRun]:
    if arguments.files:
        named = [with_records(read(Path(name))) for name in arguments.files]
        earlier = [run.run for run in named]
        distinct = [run for number, run in enumerate(named) if run.run not in earlier[:number]]
        return sorted(distinct, key=lambda run: run.when)
    folder = storage_folder(arguments.storage, Path.cwd())
    runs = HistoryStore(
        folder, lambda reason: console.print(f"skipped {reason}", soft_wrap=True)
    ).runs
    if not runs:
        raise no_saved_run(folder)
    return runs


def _groups(series_shifts: Sequence[SeriesShifts]) -> list[Group]:
    """Return a group of measures for each variant and kind of host."""
    groups: dict[tuple[str, str], Group] = {}
    for series, shifts in sorted(series_shifts, key=lambda pair: (pair[0].variant, pair[0].host)):
        group = groups.setdefault(
            (series.variant, series.host), Group(f"{series.variant}{_on_host(series)}")
        )
        values = [
            format_value(series.values[i], series.unit).replace(" samples/s", "/s") for i in (0, -1)
        ]
        course = sparkline(series.values[-_SHOWN_RUNS:], series.noise)
        cells = [f"  {series.measure}", str(len(series.values)), *values, course]
        group.rows.append([Text(cell) for cell in (*cells, str(len(shifts) or ""))])
    return list(groups.values())


def sparkline(values: Sequence[float], noise: float = 0.0) -> str:
    """Return one bar per value, scaled from the smallest to the largest value.

    Values that differ by less than the noise, or by a few per cent, have bars of similar height.
    """
    low, high = min(values), max(values)
    span = max(high - low, noise, _LEAST_SPAN * abs(high))
    if not span:
        return _BARS[0] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[round(top * (value - low) / span)] for value in values)


def _describe(series: Series, shift: Shift) -> str:
    sign = "+" if shift.change >= 0 else ""
    return (
        f"CHANGE {series.suite}[{series.variant}] {series.measure}{_on_host(series)}: "
        f"{sign}{format_value(shift.change, shift.unit)} since {shift.run}"
    )


def _on_host(series: Series) -> str:
    return f" on {series.host}" if series.host else ""


def _plot(suite: str, series_shifts: Sequence[SeriesShifts], folder: Path) -> Path:
    from pytest_infperf.report import plots
    from pytest_infperf.report.history_panels import history_panels

    path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', suite)}.svg"
    svg = plots.history(suite, history_panels(series_shifts), standalone=True)
    write_text(path, svg)
    return path
