"""`infperf plan FILE... --rate 100/s`: instances, cost and autoscaling for a request rate."""

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
from pytest_infperf.serving.capacity import CapacityPlan, Demand, by_cost, instance_capacities

_RATE = re.compile(r"(?P<number>[\d.,]+)\s*/\s*(?P<unit>s|min|h|day)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="records that --infperf-json wrote"
    )
    parser.add_argument(
        "--rate", required=True, metavar="N/UNIT",
        help="request rate to serve: 100/s, 500000/h, 2000000/day",
    )  # fmt: skip
    parser.add_argument(
        "--utilisation", type=float, default=0.8, metavar="SHARE",
        help="share of an instance's highest rate to plan for (default: 0.8)",
    )  # fmt: skip
    parser.add_argument(
        "--spare", type=int, default=1, metavar="N", help="instances that may fail (default: 1)"
    )
    parser.add_argument("--prices", metavar="PATH", help="price table (default: the shipped one)")
    parser.add_argument(
        "--suite", help="suite to plan for (default: all with a highest rate under load)"
    )
    parser.add_argument(
        "--autoscaling", type=Path, metavar="PATH",
        help="write the target tracking settings of each suite's cheapest plan to this file",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    demand = _demand(arguments)
    table = prices.table(arguments.prices, Path.cwd())
    runs = [read(Path(name)).run for name in arguments.files]
    plans = by_cost([CapacityPlan(c, demand) for c in instance_capacities(runs, table)])
    plans = [plan for plan in plans if arguments.suite in (None, plan.capacity.suite)]
    if not plans:
        raise UserError(
            "these files have no highest rate under a latency limit: give the suite "
            "loads=[Server(limit_s=...)] and a test that calls variant.load('Server')"
        )
    console = Console(highlight=False, markup=False, emoji=False)
    by_suite: dict[str, list[CapacityPlan]] = {}
    for plan in plans:
        by_suite.setdefault(plan.capacity.suite, []).append(plan)
    for suite, suite_plans in by_suite.items():
        console.print(f"{suite} at {_describe(demand)}")
        console.print(_table(suite_plans))
        console.print(_conclusion(suite_plans[0]), soft_wrap=True)
        console.print()
    if arguments.autoscaling:
        settings = {suite: cheapest.target_tracking() for suite, (cheapest, *_) in by_suite.items()}
        arguments.autoscaling.write_text(json.dumps(settings, indent=2) + "\n")
        console.print(f"autoscaling: {arguments.autoscaling}", soft_wrap=True)
    return 0


def _demand(arguments: Namespace) -> Demand:
    match = _RATE.fullmatch(arguments.rate.strip())
    try:
        number = float(match["number"].replace(",", "")) if match else 0.0
    except ValueError:
        number = 0.0
    if not match or number <= 0:
        raise UserError(
            f"--rate {arguments.rate!r}: write 100/s, 6000/min, 500000/h or 2000000/day"
        )
    if not 0 < arguments.utilisation <= 1:
        raise UserError(f"--utilisation {arguments.utilisation}: must be above 0 and at most 1")
    if arguments.spare < 0:
        raise UserError(f"--spare {arguments.spare}: must be 0 instances or more")
    return Demand(number / _SECONDS[match["unit"]], arguments.utilisation, arguments.spare)


def _describe(demand: Demand) -> str:
    return (
        f"{demand.rate:,.4g} requests/s, {100 * demand.utilisation:g} % of an instance's highest "
        f"rate, {demand.spare} to spare"
    )


def _usd(value: float | None) -> str:
    return "-" if value is None else format_value(value, "usd").removesuffix(" USD")


def _requests_per_s(value: float) -> str:
    return format_value(value, "requests/s").removesuffix(" requests/s")


_COLUMNS: Mapping[str, Callable[[CapacityPlan], str]] = {
    "instance": lambda plan: plan.capacity.host,
    "variant": lambda plan: plan.capacity.variant,
    "one sustains": lambda plan: _requests_per_s(plan.capacity.rate),
    "instances": lambda plan: f"{plan.instances:,}",
    "replicas": lambda plan: f"{plan.replicas:,}",
    "USD/month": lambda plan: _usd(plan.usd_per_month),
    "USD/1M": lambda plan: _usd(plan.usd_per_million),
    "in batches": lambda plan: _usd(plan.batch_usd_per_million),
    "batch h/day": lambda plan: "-" if plan.batch_hours is None else f"{plan.batch_hours:,.3g}",
}


def _table(plans: Sequence[CapacityPlan]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 1, 0, 0)
    for name in _COLUMNS:
        justify: Literal["left", "right"] = "left" if name in ("instance", "variant") else "right"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != "instance")
    for plan in plans:
        table.add_row(*(text_of(plan) for text_of in _COLUMNS.values()))
    return table


def _conclusion(plan: CapacityPlan) -> str:
    capacity = plan.capacity
    if capacity.usd_per_hour is None:
        return (
            f"fewest instances: {capacity.variant} on {capacity.host}, {plan.instances}; the cost "
            "is not known: name the instance type with INFPERF_INSTANCE when the records are made, "
            "and give a price table that has it with --prices"
        )
    return (
        f"cheapest: {capacity.variant} on {plan.instances} x {capacity.host}, "
        f"{_usd(plan.usd_per_month)} USD a month (prices: {capacity.price_source})"
    )
