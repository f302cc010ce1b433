"""`infperf plan FILE... --rate 100/s`: instances, cost and autoscaling for a rate to be served."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from pytest_infperf.cost import prices
from pytest_infperf.errors import UserError
from pytest_infperf.history.store import read
from pytest_infperf.records.quantity import format_value
from pytest_infperf.serving.capacity import Aim, Fleet, by_cost, sites

_RATE = re.compile(r"(?P<number>[\d.,]+)\s*/\s*(?P<unit>s|min|h|day)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="records of --infperf-json")
    parser.add_argument(
        "--rate", required=True, metavar="N/UNIT", help="to be served: 100/s, 500000/h, 2000000/day"
    )
    parser.add_argument(
        "--utilisation", type=float, default=0.8, metavar="SHARE",
        help="of the highest rate that an instance is planned for (default: 0.8)",
    )  # fmt: skip
    parser.add_argument(
        "--spare", type=int, default=1, metavar="N", help="instances that may fail (default: 1)"
    )
    parser.add_argument("--prices", metavar="PATH", help="default: the table that is shipped")
    parser.add_argument("--suite", help="default: all that were served under load")
    parser.add_argument(
        "--autoscaling", type=Path, metavar="PATH",
        help="write the target tracking settings of the cheapest fleet of each suite",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    aim = _aim(arguments)
    table = prices.table(arguments.prices, Path.cwd())
    runs = [read(Path(name)).run for name in arguments.files]
    fleets = by_cost([Fleet(site, aim) for site in sites(runs, table)])
    fleets = [f for f in fleets if arguments.suite in (None, f.site.suite)]
    if not fleets:
        raise UserError(
            "these files have no highest rate under a latency limit: give the suite "
            "loads=[Server(limit_s=...)] and a test that calls variant.load('Server')"
        )
    console = Console(highlight=False, markup=False, emoji=False)
    best = {suite: next(f for f in fleets if f.site.suite == suite) for suite in _suites(fleets)}
    for suite, cheapest in best.items():
        its = [fleet for fleet in fleets if fleet.site.suite == suite]
        console.print(f"{suite} at {_describe(aim)}")
        console.print(_table(its))
        console.print(_conclusion(cheapest), soft_wrap=True)
        console.print()
    if arguments.autoscaling:
        settings = {suite: fleet.target_tracking() for suite, fleet in best.items()}
        arguments.autoscaling.write_text(json.dumps(settings, indent=2) + "\n")
        console.print(f"autoscaling: {arguments.autoscaling}", soft_wrap=True)
    return 0


def _aim(arguments: Namespace) -> Aim:
    found = _RATE.fullmatch(arguments.rate.strip())
    try:
        number = float(found["number"].replace(",", "")) if found else 0.0
    except ValueError:
        number = 0.0
    if not found or number <= 0:
        raise UserError(
            f"--rate {arguments.rate!r}: write 100/s, 6000/min, 500000/h or 2000000/day"
        )
    if not 0 < arguments.utilisation <= 1:
        raise UserError(f"--utilisation {arguments.utilisation}: a share over 0, at most 1")
    if arguments.spare < 0:
        raise UserError(f"--spare {arguments.spare}: 0 instances or more")
    return Aim(number / _SECONDS[found["unit"]], arguments.utilisation, arguments.spare)


def _suites(fleets: Sequence[Fleet]) -> list[str]:
    return list(dict.fromkeys(fleet.site.suite for fleet in fleets))


def _describe(aim: Aim) -> str:
    return (
        f"{aim.rate:,.4g} requests/s, {100 * aim.utilisation:g} % of an instance's highest rate, "
        f"{aim.spare} to spare"
    )


def _usd(value: float | None) -> str:
    return "-" if value is None else format_value(value, "usd").removesuffix(" USD")


_COLUMNS: Mapping[str, Callable[[Fleet], str]] = {
    "instance": lambda f: f.site.host,
    "variant": lambda f: f.site.variant,
    "one sustains": lambda f: format_value(f.site.rate, "requests/s").removesuffix(" requests/s"),
    "instances": lambda f: f"{f.instances:,}",
    "replicas": lambda f: f"{f.replicas:,}",
    "USD/month": lambda f: _usd(f.usd_per_month),
    "USD/1M": lambda f: _usd(f.usd_per_million),
    "in batches": lambda f: _usd(f.batch_usd_per_million),
    "batch h/day": lambda f: "-" if f.batch_hours is None else f"{f.batch_hours:,.3g}",
}


def _table(fleets: Sequence[Fleet]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 1, 0, 0)
    for name in _COLUMNS:
        justify: Literal["left", "right"] = "left" if name in ("instance", "variant") else "right"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != "instance")
    for fleet in fleets:
        table.add_row(*(write(fleet) for write in _COLUMNS.values()))
    return table


def _conclusion(fleet: Fleet) -> str:
    site = fleet.site
    if site.usd_per_hour is None:
        return (
            f"fewest instances: {site.variant} on {site.host}, {fleet.instances}; no cost, for no "
            "host's instance type is known (INFPERF_INSTANCE) or the price table has none for it"
        )
    return (
        f"cheapest: {site.variant} on {fleet.instances} x {site.host}, {_usd(fleet.usd_per_month)} "
        f"USD a month (prices: {site.price_source})"
    )
