"""`infperf plan FILE... --rate 100/s`: plan instances, cost and autoscaling for a rate."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from pytest_infperf.cli.arguments import time_s
from pytest_infperf.cli.deployment_options import deployment_name, extras_of, source_of
from pytest_infperf.cli.suite_folder import address_of
from pytest_infperf.cost import prices
from pytest_infperf.cost.prices import Price, PriceTable
from pytest_infperf.errors import UserError
from pytest_infperf.history.store import read
from pytest_infperf.options import count, fraction, non_negative, percentile, positive
from pytest_infperf.records.file import write_text
from pytest_infperf.records.quantity import format_value
from pytest_infperf.serving import backlog
from pytest_infperf.serving.backlog import LatencyLimit
from pytest_infperf.serving.batch import Estimate, samples_costs
from pytest_infperf.serving.capacity import (
    CapacityPlan,
    Demand,
    InstanceCapacity,
    by_cost,
    instance_capacities,
)
from pytest_infperf.serving.deploy import cloudformation
from pytest_infperf.serving.deploy.plan import DeploymentPlan

_RATE = re.compile(r"(?P<number>[\d.,]+)\s*/\s*(?P<unit>s|min|h|day)")
_INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400}


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="records, written by `pytest --infperf-json`"
    )
    parser.add_argument(
        "--rate", required=True, metavar="N/UNIT",
        help="request rate to serve: 100/s, 500000/h, 2000000/day",
    )  # fmt: skip
    parser.add_argument(
        "--utilisation", type=fraction, default=0.8, metavar="FRACTION",
        help="fraction of an instance's highest rate to plan for (default: 0.8)",
    )  # fmt: skip
    parser.add_argument(
        "--spare",
        type=non_negative,
        default=1,
        metavar="N",
        help="instances that may fail (default: 1)",
    )
    parser.add_argument("--prices", metavar="PATH", help="price table (default: the shipped one)")
    parser.add_argument(
        "--suite",
        metavar="NAME",
        help="suite to plan for (default: all with a rate under load)",
    )
    parser.add_argument(
        "--latency-limit", type=time_s, metavar="TIME",
        help="limit on latency, such as '250 ms', for a target of waiting requests per instance",
    )  # fmt: skip
    parser.add_argument(
        "--percentile", type=percentile, default=99.0, metavar="PERCENT",
        help="percentile of latency that the limit applies to (default: 99)",
    )  # fmt: skip
    parser.add_argument(
        "--samples", type=count, metavar="N",
        help="also show the cost of N samples as a batch job and in real time",
    )  # fmt: skip
    parser.add_argument(
        "--within", type=positive, metavar="HOURS",
        help="time limit of that job (default: the time of one instance)",
    )  # fmt: skip
    parser.add_argument(
        "--beside", nargs="+", default=[], metavar="TYPE",
        help="unmeasured types, such as inf2.xlarge or fargate-2vcpu-4gib: show the rate at which "
        "one instance costs as much per request as the cheapest plan",
    )  # fmt: skip
    parser.add_argument(
        "--autoscaling", type=Path, metavar="PATH",
        help="write the target tracking settings of each suite's cheapest plan to this file",
    )  # fmt: skip
    parser.add_argument(
        "--template", nargs=2, metavar=("KIND", "PATH"),
        help="write the cheapest plan of one suite as a template with load balancer, Auto Scaling "
        "group and policies; the kind is cloudformation",
    )  # fmt: skip
    parser.add_argument(
        "--source", type=Path, metavar="FOLDER",
        help="folder of the suite that the template's instances serve, with its suite.py",
    )  # fmt: skip
    parser.add_argument(
        "--repository", metavar="URL",
        help="repository that the instances clone (default: git's remote origin)",
    )  # fmt: skip
    parser.add_argument(
        "--revision", metavar="REV",
        help="branch, tag or commit of the repository (default: the checked-out commit)",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    demand = _demand(arguments)
    table = prices.table(arguments.prices, Path.cwd())
    runs = [read(Path(name)).run for name in arguments.files]
    plans = by_cost([CapacityPlan(c, demand) for c in instance_capacities(runs, table)])
    plans = [plan for plan in plans if arguments.suite in (None, plan.capacity.suite)]
    if not plans:
        of_suite = f" of {arguments.suite}" if arguments.suite else ""
        raise UserError(
            f"these files have no rate{of_suite} under a latency limit: give the suite "
            "loads=[Server(limit_s=...)] and a test that calls variant.load('Server'), or "
            "OpenLoop(rate) with limits at that load that pass, one of them on latency; a closed "
            "loop gives no such rate, because its users send less while the server is slow"
        )
    console = Console(highlight=False, markup=False, emoji=False)
    by_suite: dict[str, list[CapacityPlan]] = {}
    for plan in plans:
        by_suite.setdefault(plan.capacity.suite, []).append(plan)
    for suite, suite_plans in by_suite.items():
        console.print(f"{suite} at {_describe(demand)}")
        console.print(_table(suite_plans))
        cheapest = suite_plans[0]
        console.print(_conclusion(cheapest), soft_wrap=True)
        for plan in suite_plans:
            for note in _notes(plan.capacity):
                console.print(note, soft_wrap=True)
        if demand.limit:
            console.print(_backlog(cheapest, demand.limit), soft_wrap=True)
        if arguments.beside:
            console.print(_beside(cheapest, arguments.beside, table))
        if arguments.samples:
            console.print(f"\n{arguments.samples:,} samples")
            console.print(_samples(suite_plans, arguments.samples, arguments.within))
        console.print()
    if arguments.autoscaling:
        settings = {suite: cheapest.target_tracking() for suite, (cheapest, *_) in by_suite.items()}
        write_text(arguments.autoscaling, json.dumps(settings, indent=2) + "\n")
        console.print(f"autoscaling: {arguments.autoscaling}", soft_wrap=True)
    if arguments.template:
        path = _write_template(arguments, [plans[0] for plans in by_suite.values()])
        console.print(f"template: {path}", soft_wrap=True)
    return 0


def _write_template(arguments: Namespace, cheapest: Sequence[CapacityPlan]) -> Path:
    """Write the template of the only suite's cheapest plan, and return its path."""
    kind, path = arguments.template
    if kind != "cloudformation":
        raise UserError(f"--template {kind}: the kind is cloudformation")
    if len(cheapest) > 1:
        names = ", ".join(plan.capacity.suite for plan in cheapest)
        raise UserError(f"--template is for one suite: name one of {names} with --suite")
    if arguments.source is None:
        raise UserError("--template needs --source FOLDER, the folder of the suite to serve")
    [plan] = cheapest
    capacity, suite = plan.capacity, address_of(arguments.source).load()
    if suite.name != capacity.suite or capacity.variant not in suite.variant_ids:
        raise UserError(
            f"--source {arguments.source}: its suite {suite.name} does not contain the planned "
            f"{capacity.suite}[{capacity.variant}]"
        )
    if not _INSTANCE_TYPE.fullmatch(capacity.host):
        raise UserError(
            f"--template: {capacity.host} is not an EC2 instance type; set INFPERF_INSTANCE to the "
            "type when measuring"
        )
    deployment = DeploymentPlan(
        name=deployment_name(suite.name, capacity.variant),
        suite=suite.name,
        variant=capacity.variant,
        extras=extras_of(suite, capacity.variant),
        source=source_of(arguments.source, arguments.repository, arguments.revision),
        instance_type=capacity.host,
        region="",  # that of the stack
        price="not part of a template",
    )
    text = cloudformation.to_yaml(cloudformation.template(deployment, plan))
    write_text(Path(path), text)
    return Path(path)


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
    if arguments.within is not None and arguments.samples is None:
        raise UserError("--within is the time limit of a batch job: add --samples N")
    limit = (
        LatencyLimit(arguments.latency_limit, arguments.percentile / 100)
        if arguments.latency_limit
        else None
    )
    return Demand(number / _SECONDS[match["unit"]], arguments.utilisation, arguments.spare, limit)


def _describe(demand: Demand) -> str:
    return (
        f"{demand.rate:,.4g} requests/s, {100 * demand.utilisation:g} % of an instance's highest "
        f"rate, {demand.spare} spare"
    )


def _usd(value: float | None) -> str:
    return "-" if value is None else format_value(value, "usd").removesuffix(" USD")


def _requests_per_s(value: float) -> str:
    return format_value(value, "requests/s").removesuffix(" requests/s")


_OF_WORDS = ("instance", "variant", "way")
_COLUMNS: Mapping[str, Callable[[CapacityPlan], str]] = {
    "instance": lambda plan: plan.capacity.host,
    "variant": lambda plan: plan.capacity.variant,
    "one sustains": lambda plan: plan.capacity.sustained.removesuffix(" requests/s"),
    "instances": lambda plan: f"{plan.instances:,}",
    "replicas": lambda plan: f"{plan.replicas:,}",
    "USD/month": lambda plan: _usd(plan.usd_per_month),
    "USD/1M": lambda plan: _usd(plan.usd_per_million),
    "in batches": lambda plan: _usd(plan.batch_usd_per_million),
    "batch h/day": lambda plan: "-" if plan.batch_hours is None else f"{plan.batch_hours:,.3g}",
}


def _table(plans: Sequence[CapacityPlan]) -> Table:
    return _rows(list(_COLUMNS), [[text_of(p) for text_of in _COLUMNS.values()] for p in plans])


def _rows(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 1, 0, 0)
    for name in names:
        justify: Literal["left", "right"] = "left" if name in _OF_WORDS else "right"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != "instance")
    for row in rows:
        table.add_row(*row)
    return table


def _beside(cheapest: CapacityPlan, types: Sequence[str], table: PriceTable) -> Table:
    """Return the table of unmeasured types, with the rate at which a request costs the same."""
    capacity, rows = cheapest.capacity, []
    for name in types:
        price = table.price(name, None)
        if not isinstance(price, Price):
            raise UserError(f"--beside: {price.replace('--infperf-prices', '--prices')}")
        usd = price.usd_per_hour
        rate = capacity.usd_per_hour and capacity.rate * usd / capacity.usd_per_hour
        rows.append([name, "not measured", _usd(usd), _requests_per_s(rate) if rate else "-"])
    return _rows(["instance", "one sustains", "USD/h", "as cheap from requests/s"], rows)


def _samples(plans: Sequence[CapacityPlan], samples: int, within: float | None) -> Table:
    rows = [
        [
            plan.capacity.host, plan.capacity.variant, cost.way, f"{cost.instances:,}",
            *_with_bounds(cost.hours, lambda hours: f"{hours:,.3g}"),
            *_with_bounds(cost.usd, _usd),
        ]
        for plan in plans
        for cost in samples_costs(plan, samples, within)
    ]  # fmt: skip
    return _rows(["instance", "variant", "way", "instances", "hours", "", "USD", ""], rows)


def _with_bounds(estimate: Estimate | None, text_of: Callable[[float], str]) -> tuple[str, str]:
    """Return the value and its interval; a missing bound is a question mark."""
    if estimate is None:
        return "-", ""
    if estimate.low is None and estimate.high is None:
        return text_of(estimate.value), ""
    low, high = ("?" if b is None else text_of(b) for b in (estimate.low, estimate.high))
    return text_of(estimate.value), f"[{low}, {high}]"


def _backlog(plan: CapacityPlan, limit: LatencyLimit) -> str:
    """Return the target of waiting requests, or why there is none."""
    capacity, acceptable = plan.capacity, plan.acceptable_backlog
    words = f"{100 * limit.percentile:g}th percentile under {format_value(limit.seconds, 's')}"
    if acceptable is None or capacity.processing_s is None:
        return (
            f"backlog: not known, because single requests of {capacity.variant} were not timed: "
            "add a test that calls variant.load('SingleStream') or variant.latency()"
        )
    worked_off = (
        f"{format_value(limit.seconds, 's')} / {format_value(capacity.processing_s, 's')} = "
        f"{acceptable:.3g} requests are processed in that time"
    )
    if plan.backlog_target is None:
        return f"backlog: no queue is certain to keep the {words} ({worked_off})"
    return (
        f"backlog: {plan.backlog_target:.3g} waiting requests per instance on average "
        f"({backlog.METRIC}) keep the {words}; {worked_off}"
    )


def _notes(capacity: InstanceCapacity) -> Iterator[str]:
    """Yield what limits the use of a rate."""
    measured = f"{capacity.variant} on {capacity.host}"
    if not capacity.is_highest:
        yield (
            f"{measured} may sustain more than {capacity.load}, at which its limits passed: add "
            "Server(limit_s=...) to measure the highest rate"
        )
    if capacity.doubt:
        kind = "highest rate" if capacity.is_highest else "rate"
        yield f"the {kind} of {measured} is in doubt: {capacity.doubt}"


def _conclusion(plan: CapacityPlan) -> str:
    capacity = plan.capacity
    if capacity.usd_per_hour is None:
        return (
            f"fewest instances: {capacity.variant} on {capacity.host}, {plan.instances}; the cost "
            "is not known: set INFPERF_INSTANCE to the instance type when measuring, and specify a "
            "price table that contains it with --prices"
        )
    return (
        f"cheapest: {capacity.variant} on {plan.instances} x {capacity.host}, "
        f"{_usd(plan.usd_per_month)} USD a month (prices: {capacity.price_source})"
    )
