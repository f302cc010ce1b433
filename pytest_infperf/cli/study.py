"""`infperf study FOLDER --variants A,B --instances X,Y`: compare servers on instance types.

Without `--yes`, the command shows the resources and their cost, and does not call AWS.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pytest_infperf.artifacts.blueprint import file_digest
from pytest_infperf.cli import report
from pytest_infperf.cli.deployment_options import (
    add_options,
    deployment_name,
    deployment_plan,
    extras_of,
    price_of,
    unpushed_notice,
)
from pytest_infperf.cli.suite_folder import address_of, choose_served, suite_run
from pytest_infperf.cost import prices
from pytest_infperf.cost.merged import merge
from pytest_infperf.cost.prices import Price
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host.termination import TerminationSignals
from pytest_infperf.options import count, positive
from pytest_infperf.records.quantity import format_value
from pytest_infperf.repository.revision import revision
from pytest_infperf.serving.deploy.plan import DeploymentPlan
from pytest_infperf.settings import THRESHOLDS_FILE, Settings
from pytest_infperf.study.cells import StudyCell, StudyFolder
from pytest_infperf.study.measuring import CellMeasuring
from pytest_infperf.study.places import Instances, Place, ThisHost, billed
from pytest_infperf.study.served_variant import payload_of
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.loads import ClosedLoop
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds import Thresholds, read

_SET_UP_HOURS = 0.25
"""Paid time of an instance in addition to the load, in hours: installing, scoring, ending."""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "suite", type=Path, metavar="FOLDER", help="folder of the suite, with its suite.py"
    )
    parser.add_argument(
        "--variants", type=_names, required=True, metavar="A,B,...", help="variants to serve"
    )
    parser.add_argument(
        "--instances", type=_names, required=True, metavar="X,Y,...",
        help="instance types, such as c7i.large,c7g.large",
    )  # fmt: skip
    parser.add_argument(
        "--hours", type=positive, default=1.0, metavar="HOURS",
        help="duration of the load on each of them (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--users", type=count, default=4, metavar="N",
        help="users who each wait for the response before they send the next request (default: 4)",
    )  # fmt: skip
    parser.add_argument(
        "--batch", type=count, default=1, metavar="N",
        help="samples in a request while the quality is scored (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--thresholds", type=Path, metavar="PATH",
        help=f"file of the gates that variants must pass (default: {THRESHOLDS_FILE})",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("study"), metavar="FOLDER",
        help="folder of the records; a variant is not measured again on an instance type for "
        "which it has a record (default: study)",
    )  # fmt: skip
    parser.add_argument(
        "--markdown", type=Path, metavar="PATH", help="also write the table as Markdown"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--yes", action="store_true", help="create the instances (default: only show the plan)"
    )
    where.add_argument(
        "--here", action="store_true",
        help="serve on this host, at the price of the only type in --instances",
    )  # fmt: skip
    parser.add_argument(
        "--ready-minutes", type=positive, default=20.0, metavar="MINUTES",
        help="time limit for an instance to install and load a variant (default: 20)",
    )  # fmt: skip
    parser.add_argument(
        "--cache", type=Path, default=Path(".infperf_cache"), metavar="FOLDER",
        help="folder of built variants, for --here (default: .infperf_cache)",
    )  # fmt: skip
    add_options(parser)


def run(arguments: Namespace) -> int:
    _check(arguments)
    address = address_of(arguments.suite)
    suite = address.load()
    variants = [choose_served(suite, name, None) for name in arguments.variants]
    payload_of(suite)  # raises before anything is created if the suite cannot be served
    seconds = 3600 * arguments.hours
    load = ClosedLoop(arguments.users, seconds=seconds, full_seconds=seconds)
    thresholds = _thresholds(arguments.thresholds)
    cells = [StudyCell(*pair) for pair in product(arguments.instances, variants)]
    plans = {} if arguments.here else _plans(arguments, suite, cells)
    if plans:
        _show_plan(plans, arguments)
    if not (arguments.yes or arguments.here):
        print("\nnothing was created, and AWS was not called: add --yes to create it")
        return 0
    folder = StudyFolder(Path.cwd() / arguments.out, _protocol(arguments, suite), load.name)
    measuring = CellMeasuring(
        suite,
        address,
        Settings(Path.cwd(), cache=Path.cwd() / arguments.cache, full=True, imds=False),
        thresholds,
        load,
        arguments.batch,
        _report_progress,
    )
    missing = [cell for cell in cells if not folder.is_complete(cell)]
    failed: list[StudyCell] = []
    signals = TerminationSignals()
    signals.install()
    try:
        if missing:
            with folder.locked(), _place(arguments, suite, address, plans) as place:
                failed = _measured(missing, place, folder, measuring)
    except KeyboardInterrupt:
        print(f"interrupted; run the same command to continue from {arguments.out}")
        return 130
    finally:
        signals.restore()
    table = prices.table(None if arguments.prices == "aws" else arguments.prices, Path.cwd())
    report.show(
        merge(list(folder.records(cells)), table, load.name), table, load.name, arguments.markdown
    )
    return 1 if failed else 0


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))


def _check(arguments: Namespace) -> None:
    if not arguments.variants or not arguments.instances:
        raise UserError("--variants and --instances: specify at least one of each")
    if arguments.here and len(arguments.instances) > 1:
        raise UserError("--here serves on one host: specify only its type with --instances")
    if arguments.yes and arguments.allow is None:
        raise UserError(
            "the instances are loaded from this host: allow its public address with --allow CIDR, "
            "such as 203.0.113.7/32"
        )


def _protocol(arguments: Namespace, suite: Suite) -> dict[str, object]:
    """Return the protocol of the study's cells, for `StudyFolder`."""
    code = revision(suite.folder)
    return {
        "suite": suite.name,
        "commit": arguments.revision or (code or {}).get("commit"),
        "hours": arguments.hours,
        "users": arguments.users,
        "batch": arguments.batch,
        "here": arguments.here,
        "sha256 of the limits": _digest_of_limits(arguments.thresholds),
    }


def _plans(
    arguments: Namespace, suite: Suite, cells: Sequence[StudyCell]
) -> dict[StudyCell, DeploymentPlan]:
    """Return the deployment of each cell; git and prices are queried once per type."""
    of_type: dict[str, DeploymentPlan] = {}
    plans = {}
    for cell in cells:
        kind, variant = cell.instance_type, cell.variant
        name = deployment_name("study", kind, suite.name, variant)
        if kind not in of_type:
            of_type[kind] = deployment_plan(arguments, suite, variant, kind, name)
        plans[cell] = replace(
            of_type[kind], name=name, variant=variant, extras=extras_of(suite, variant)
        )
    return plans


def _show_plan(plans: dict[StudyCell, DeploymentPlan], arguments: Namespace) -> None:
    """Print the resources and their cost. Raises UserError if a price is not known."""
    hours = arguments.hours + _SET_UP_HOURS
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("instance", "variant", "USD/h", "USD"):
        table.add_column(header, justify="right" if header.startswith("USD") else "left")
    total = 0.0
    sources: dict[str, None] = {}
    for cell, plan in plans.items():
        if not isinstance(plan.price, Price):
            raise UserError(f"the cost of {cell} is not known: {plan.price}")
        usd_per_hour = plan.price.usd_per_hour
        total += hours * usd_per_hour
        sources[plan.price.source] = None
        table.add_row(
            cell.instance_type, cell.variant, *map(_usd, (usd_per_hour, hours * usd_per_hour))
        )
    Console(highlight=False, markup=False, emoji=False).print(table)
    [plan, *_] = plans.values()
    print(
        f"{len(plans)} instances one after the other, each for {arguments.hours:g} h of load by "
        f"{arguments.users} users and about {60 * _SET_UP_HOURS:g} min before and after it: about "
        f"{_usd(total)} USD in {plan.region} (prices: {', '.join(sources)}; without volumes, "
        "addresses and traffic)"
    )
    print(f"source: {plan.source.repository} at {plan.source.revision}, {plan.source.folder}")
    if not arguments.revision:
        print(unpushed_notice(arguments.suite).strip())


def _usd(value: float) -> str:
    return format_value(value, "usd").removesuffix(" USD")


@contextmanager
def _place(
    arguments: Namespace,
    suite: Suite,
    address: SuiteAddress,
    plans: Mapping[StudyCell, DeploymentPlan],
) -> Iterator[Place]:
    """Yield the place that serves the cells."""
    if plans:
        yield Instances(plans, 60 * arguments.ready_minutes, _report_progress)
        return
    [instance_type] = arguments.instances
    price = price_of(instance_type, arguments.region, arguments.prices)
    facts = billed(instance_type, arguments.region, price)
    with closing(suite_run(suite, address, arguments.variants, arguments.cache)) as run:
        yield ThisHost(run.server, facts)


def _measured(
    cells: Sequence[StudyCell], place: Place, folder: StudyFolder, measuring: CellMeasuring
) -> list[StudyCell]:
    """Measure cells, and return those that could not be measured."""
    failed = []
    for number, cell in enumerate(cells, 1):
        _report_progress(f"{number}/{len(cells)} {cell}")
        try:
            with place.served(cell) as url:
                notices = measuring.measure(cell, url, place.host(cell), folder.path(cell))
        except (UserError, WorkerError) as error:
            print(f"FAILED {cell}: {error}", file=sys.stderr)
            failed.append(cell)
        else:
            for notice in notices:
                print(notice)
    return failed


def _limits_file(named: Path | None) -> Path | None:
    path = Path.cwd() / (named or THRESHOLDS_FILE)
    return path if named or path.is_file() else None


def _thresholds(named: Path | None) -> Thresholds:
    path = _limits_file(named)
    return read(path, Path.cwd()) if path else Thresholds.empty()


def _digest_of_limits(named: Path | None) -> str | None:
    """Return the hash of the thresholds file, which must be the same for all records."""
    path = _limits_file(named)
    return file_digest(path) if path else None


def _report_progress(text: str) -> None:
    with suppress(OSError):  # a closed terminal must not prevent the end of an instance
        print(f"infperf study {text}", file=sys.stderr, flush=True)
