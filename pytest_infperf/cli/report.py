"""`infperf report A.json B.json ...`: records of several hosts in one table, and the cheapest."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pytest_infperf.cost import prices
from pytest_infperf.cost.merged import Row, merge
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.errors import UserError
from pytest_infperf.history.store import read, with_records
from pytest_infperf.records.file import write_text
from pytest_infperf.records.points import point_of
from pytest_infperf.report import code_quality, html
from pytest_infperf.report.tables import merged as merged_tables


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="records of one or more hosts")
    parser.add_argument(
        "--prices", metavar="PATH", help="price table of instances (default: the shipped table)"
    )
    parser.add_argument(
        "--load", metavar="NAME", default="",
        help="show the servers under a load, such as users=4, and the cost of a million of its "
        "requests (default: measures of workers)",
    )  # fmt: skip
    parser.add_argument(
        "--markdown", type=Path, metavar="PATH", help="also write the tables as Markdown"
    )
    parser.add_argument(
        "--html", type=Path, metavar="PATH",
        help="also write the tables and plots as one page (extra html)",
    )  # fmt: skip
    parser.add_argument(
        "--code-quality", type=Path, metavar="PATH",
        help="also write unmet limits and errors as a GitLab Code Quality report",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    if arguments.html:
        html.check_available("--html")
    table = prices.table(arguments.prices, Path.cwd())
    runs = [with_records(read(Path(name))).run for name in arguments.files]
    rows = merge(runs, table, arguments.load)
    if arguments.load:
        rows = _under_load(arguments.load, rows)
    show(rows, table, arguments.load, arguments.markdown)
    if arguments.html:
        write_text(arguments.html, html.merged_page(rows, table, arguments.load))
    if arguments.code_quality:
        write_text(arguments.code_quality, code_quality.document(runs))
    return 0


def _under_load(load: str, rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose records have the load, and raise UserError if there is none."""
    under = [
        row
        for row in rows
        if load in {*(row.record.evidence.loads or ()), *map(point_of, row.record.measures)}
    ]
    if not under:
        names = {name for row in rows for name in row.record.evidence.loads or ()}
        known = f"they have {', '.join(sorted(names))}" if names else "they have no loads"
        raise UserError(f"--load {load}: none of these records has that load; {known}")
    return under


def show(rows: Sequence[Row], table: PriceTable, load: str, markdown: Path | None) -> None:
    """Print each suite's table and its cheapest row, and write them as Markdown."""
    console = Console(highlight=False, markup=False, emoji=False)
    lines: list[str] = []
    for suite in dict.fromkeys(row.record.suite for row in rows):
        suite_rows = [row for row in rows if row.record.suite == suite]
        title = f"{suite} under load {load}" if load else suite
        conclusion = merged_tables.conclusion(suite_rows, table)
        for line in merged_tables.lines(title, suite_rows, console.width, load):
            console.print(line, soft_wrap=True)
        console.print(conclusion)
        console.print()
        lines += [f"### {title}", "", *merged_tables.markdown(suite_rows, load), "", conclusion, ""]
    if markdown:
        write_text(markdown, "\n".join(lines))
