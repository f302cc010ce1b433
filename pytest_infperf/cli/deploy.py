"""`infperf deploy FOLDER --variant ID`: serve a variant on an EC2 instance.

Without `--yes`, the command shows the resources and their cost, and does not call AWS.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from textwrap import indent

from rich.console import Console
from rich.table import Table

from pytest_infperf.cli.deployment_options import (
    add_options,
    deployment_name,
    deployment_plan,
    unpushed_notice,
)
from pytest_infperf.cli.suite_folder import address_of, choose_served
from pytest_infperf.cost.prices import Price
from pytest_infperf.errors import UserError
from pytest_infperf.host.termination import TerminationSignals
from pytest_infperf.options import positive
from pytest_infperf.serving.deploy.ec2 import DeployedInstance, Ec2
from pytest_infperf.serving.deploy.plan import VOLUME_GIB, DeploymentPlan
from pytest_infperf.serving.deploy.user_data import script


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "suite",
        type=Path,
        nargs="?",
        metavar="FOLDER",
        help="folder of the suite, with its suite.py",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--yes", action="store_true", help="create the deployment (default: only show the plan)"
    )
    action.add_argument(
        "--teardown", metavar="NAME", help="remove a deployment and all its resources"
    )
    action.add_argument("--list", action="store_true", help="list the deployments in the region")
    parser.add_argument("--variant", metavar="ID", help="variant to serve (default: the baseline)")
    parser.add_argument("--name", help="name of the deployment (default: suite and variant)")
    parser.add_argument(
        "--instance", default="c7i.large", metavar="TYPE",
        help="instance type (default: c7i.large)",
    )  # fmt: skip
    add_options(parser)
    parser.add_argument(
        "--hours-shown",
        type=positive,
        metavar="HOURS",
        help="also show the cost for that many hours",
    )


def run(arguments: Namespace) -> int:
    if arguments.list:
        _list(Ec2(arguments.region))
    elif arguments.teardown:
        removed = Ec2(arguments.region).teardown(arguments.teardown)
        print(f"removed: {', '.join(removed)}")
    else:
        return _deploy_uninterrupted(arguments)
    return 0


def _deploy_uninterrupted(arguments: Namespace) -> int:
    """Create a deployment; its resources are removed if a signal ends the command."""
    signals = TerminationSignals()
    signals.install()
    try:
        _deploy(arguments)
    except KeyboardInterrupt as interruption:
        print(f"interrupted by {str(interruption) or 'Ctrl-C'}", file=sys.stderr)
        return 130
    finally:
        signals.restore()
    return 0


def _deploy(arguments: Namespace) -> None:
    plan = _plan(arguments)
    print(_describe(plan, arguments.hours_shown))
    if not arguments.revision:
        print(unpushed_notice(arguments.suite))
    if not arguments.yes:
        print("\nnothing was created, and AWS was not called: add --yes to create it")
        return
    if not isinstance(plan.price, Price):
        raise UserError(f"nothing was created, because its cost is not known: {plan.price}")
    print()
    instance = Ec2(plan.region).create(plan, lambda text: print(text, flush=True))
    print(_next_steps(plan, instance))


def _plan(arguments: Namespace) -> DeploymentPlan:
    if arguments.suite is None:
        raise UserError("specify the folder of a suite, or --list, or --teardown NAME")
    suite = address_of(arguments.suite).load()
    variant = choose_served(suite, arguments.variant, suite.baseline)
    name = arguments.name or deployment_name(suite.name, variant)
    return deployment_plan(arguments, suite, variant, arguments.instance, name)


def _describe(plan: DeploymentPlan, hours: float | None) -> str:
    source = plan.source
    rows = {
        "instance": f"{plan.instance_type} in {plan.region}, newest Amazon Linux 2023, metadata "
        "service version 2 only",
        "volume": f"{VOLUME_GIB} GiB of gp3, encrypted, deleted with the instance",
        "access": _access(plan),
        "source": f"{source.repository} at {source.revision}, {source.folder}",
        "cost": _cost(plan, hours),
    }
    if isinstance(plan.price, Price):
        rows["prices"] = f"{plan.price.source}; without volume, address and traffic"
    lines = [f"deployment {plan.name}: {plan.suite}[{plan.variant}]"]
    lines += [f"  {name:<10}{description}" for name, description in rows.items()]
    return "\n".join([*lines, "  user data", indent(script(plan).rstrip(), "    ")])


def _access(plan: DeploymentPlan) -> str:
    if plan.allow is None:
        return "nobody: the security group has no rule" + (
            "" if plan.instance_profile else " (add --allow CIDR or --instance-profile NAME)"
        )
    warning = "; this is everybody, and the server has no password" if plan.open_to_all else ""
    return f"{plan.allow} to port {plan.port} only{warning}"


def _cost(plan: DeploymentPlan, hours: float | None) -> str:
    if not isinstance(plan.price, Price):
        return f"not known: {plan.price}"
    return ", ".join(f"{usd:,.4g} USD {span}" for span, usd in plan.costs(hours))


def _next_steps(plan: DeploymentPlan, instance: DeployedInstance) -> str:
    if plan.allow:
        access = (
            f"it is ready when http://{instance.address}:{plan.port}/readyz answers with status 200"
        )
    elif plan.instance_profile:
        access = (
            f"reach its port {plan.port} on this host with: aws ssm start-session "
            f"--region {plan.region} --target {instance.instance} --document-name "
            f"AWS-StartPortForwardingSession --parameters portNumber={plan.port}"
        )
    else:
        access = "nobody can reach it yet: add a rule to its security group"
    return (
        f"{instance.instance} runs at {instance.address} and installs packages, which takes "
        f"minutes; {access}\n"
        f"tear it down with: infperf deploy --teardown {plan.name} --region {plan.region}"
    )


def _list(ec2: Ec2) -> None:
    instances, groups = ec2.instances(), ec2.security_groups()
    if not instances and not groups:
        print(f"no deployments in {ec2.region}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("deployment", "serves", "instance", "type", "state", "address", "since"):
        table.add_column(name, overflow="fold")
    for i in instances:
        serves = f"{i.suite}[{i.variant}]"
        table.add_row(
            i.name, serves, i.instance, i.instance_type, i.state, i.address or "-", i.since
        )
    Console(highlight=False, markup=False, emoji=False).print(table)
    for group, name in groups.items():
        if name not in {i.name for i in instances}:
            print(
                f"{group} is left of {name}; remove it with: infperf deploy --teardown {name} "
                f"--region {ec2.region}"
            )
