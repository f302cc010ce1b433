"""`infperf history`: how measures went over saved runs, and the commits at which they changed."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_infperf.errors import UserError
from pytest_infperf.history.series import DEFAULT_MEASURES, Series, Shift, series_of
from pytest_infperf.history.store import (
    DEFAULT_STORAGE,
    HistoryStore,
    SavedRun,
    read,
    storage_folder,
)
from pytest_infperf.records.quantity import format_value

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_RUNS = 24


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="records, in place of those in the storage"
    )
    parser.add_argument(
        "--storage", default=DEFAULT_STORAGE, help="of pytest-benchmark (default: %(default)s)"
    )
    parser.add_argument(
        "--measures",
        default="",
        metavar="GLOB,GLOB",
        help=f"default: {', '.join(DEFAULT_MEASURES)} and the suite's quality",
    )
    parser.add_argument("--variants", default="*", metavar="GLOB", help="only these variants")
    parser.add_argument("--confidence", type=float, default=0.99, help="default: %(default)s")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="write an SVG picture a suite")
    parser.add_argument(
        "--fail-on-change", action="store_true", help="exit with 1 when anything changed its level"
    )


def run(arguments: Namespace) -> int:
    if not 0.5 < arguments.confidence < 1:
        raise UserError(f"--confidence {arguments.confidence}: write a share such as 0.99")
    console = Console(highlight=False, markup=False, emoji=False)
    runs = _runs(arguments, console)
    globs = [glob for glob in arguments.measures.split(",") if glob]
    found = series_of(runs, globs, arguments.variants)
    if not found:
        raise UserError("no saved run has such a variant and measure")
    shifts = {id(series): series.shifts(arguments.confidence) for series in found}
    console.print(f"{len(runs)} runs, from {runs[0]} to {runs[-1]}", soft_wrap=True)
    for suite in dict.fromkeys(series.suite for series in found):
        console.print()
        console.print(_table(suite, [series for series in found if series.suite == suite], shifts))
        if arguments.plot:
            console.print(f"plot: {_plot(suite, found, shifts, arguments.plot)}", soft_wrap=True)
    for series in found:
        for shift in shifts[id(series)]:
            console.print(_describe(series, shift), soft_wrap=True)
    return 1 if arguments.fail_on_change and any(shifts.values()) else 0


def _runs(arguments: Namespace, console: Console) -> list[SavedRun]:
    if arguments.files:
        runs = sorted((read(Path(name)) for name in arguments.files), key=lambda run: run.when)
    else:
        folder = storage_folder(arguments.storage, Path.cwd())
        runs = HistoryStore(
            folder, lambda reason: console.print(f"skipped {reason}", soft_wrap=True)
        ).runs
        if not runs:
            raise UserError(
                f"there is no saved run in {folder}; save some with "
                "`pytest --infperf --benchmark-autosave`"
            )
    return runs


def _table(suite: str, found: Sequence[Series], shifts: dict[int, list[Shift]]) -> Table:
    """The measures of a variant stand below its id, those of each kind of host below its name."""
    table = Table(title=suite, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 1, 0, 0)
    table.add_column("measure", overflow="fold")
    for name in ("runs", "first", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("course", no_wrap=True)
    table.add_column("changes", justify="right")
    last = ("", "")
    for series in sorted(found, key=lambda its: (its.variant, its.host)):
        if (series.variant, series.host) != last:
            where = f" on {series.host}" if series.host else ""
            table.add_row(Text(f"{series.variant}{where}", "bold"))
        last = (series.variant, series.host)
        values = [
            format_value(series.values[i], series.unit).replace(" samples/s", "/s") for i in (0, -1)
        ]
        course = sparkline(series.values[-_SHOWN_RUNS:])
        changes = str(len(shifts[id(series)]) or "")
        table.add_row(f"  {series.measure}", str(len(series.values)), *values, course, changes)
    return table


def sparkline(values: Sequence[float]) -> str:
    """A bar a value, between the least and the most of them."""
    low, high = min(values), max(values)
    if high - low <= 1e-9 * abs(high):
        return _BARS[0] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[round(top * (value - low) / (high - low))] for value in values)


def _describe(series: Series, shift: Shift) -> str:
    sign = "+" if shift.change >= 0 else ""
    where = f" on {series.host}" if series.host else ""
    return (
        f"CHANGE {series.suite}[{series.variant}] {series.measure}{where}: "
        f"{sign}{format_value(shift.change, shift.unit)} since {shift.run}"
    )


def _plot(
    suite: str, found: Sequence[Series], shifts: dict[int, list[Shift]], folder: Path
) -> Path:
    from pytest_infperf.report import plots
    from pytest_infperf.report.history_panels import history_panels

    its = [(series, shifts[id(series)]) for series in found if series.suite == suite]
    path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', suite)}.svg"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(plots.history(suite, history_panels(its), standalone=True), encoding="utf-8")
    return path
