"""`infperf report A.json B.json ...`: records of several hosts in one table, and the cheapest."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from pytest_infperf.cost import prices
from pytest_infperf.cost.merged import merge
from pytest_infperf.errors import UserError
from pytest_infperf.history.store import read
from pytest_infperf.records.file import write_text
from pytest_infperf.report.tables import merged as merged_tables


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="records of one or more hosts")
    parser.add_argument(
        "--prices", metavar="PATH", help="price table of instances (default: the shipped table)"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="PATH", help="also write the tables as Markdown"
    )


def run(arguments: Namespace) -> int:
    table = prices.table(arguments.prices, Path.cwd())
    runs = [read(Path(name)).run for name in arguments.files]
    rows = merge(runs, table)
    if not rows:
        raise UserError("these files have no records; name files of --infperf-json")
    console = Console(highlight=False, markup=False, emoji=False)
    markdown: list[str] = []
    for suite in dict.fromkeys(row.record.suite for row in rows):
        suite_rows = [row for row in rows if row.record.suite == suite]
        conclusion = merged_tables.conclusion(suite_rows, table)
        console.print(merged_tables.table(suite, suite_rows))
        console.print(conclusion)
        console.print()
        markdown += [f"### {suite}", "", *merged_tables.markdown(suite_rows), "", conclusion, ""]
    if arguments.markdown:
        write_text(arguments.markdown, "\n".join(markdown))
    return 0
