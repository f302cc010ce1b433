"""`infperf deploy FOLDER --variant ID`: a variant served on an EC2 instance.

Without `--yes` the command shows what it would create and what that costs, and does not call AWS.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from textwrap import indent

from rich.console import Console
from rich.table import Table

from pytest_infperf.cli.suite_folder import address_of
from pytest_infperf.cost import prices
from pytest_infperf.cost.prices import Price
from pytest_infperf.errors import UserError
from pytest_infperf.repository import git
from pytest_infperf.repository.revision import revision
from pytest_infperf.serving.deploy.ec2 import DeployedInstance, Ec2
from pytest_infperf.serving.deploy.plan import VOLUME_GIB, DeploymentPlan, Source
from pytest_infperf.serving.deploy.user_data import script
from pytest_infperf.suite.suite import Suite


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
        "--teardown", metavar="NAME", help="remove a deployment with everything created for it"
    )
    action.add_argument("--list", action="store_true", help="list the deployments in the region")
    parser.add_argument("--variant", metavar="ID", help="variant to serve (default: the baseline)")
    parser.add_argument("--name", help="name of the deployment (default: suite and variant)")
    parser.add_argument(
        "--instance", default="c7i.large", metavar="TYPE",
        help="instance type (default: c7i.large)",
    )  # fmt: skip
    parser.add_argument("--region", default="us-east-1", help="AWS region (default: us-east-1)")
    parser.add_argument(
        "--repository", metavar="URL",
        help="repository that contains the suite (default: git's remote origin)",
    )  # fmt: skip
    parser.add_argument(
        "--revision", metavar="REV",
        help="branch, tag or commit of the repository (default: the commit that is checked out)",
    )  # fmt: skip
    parser.add_argument(
        "--allow", metavar="CIDR",
        help="addresses that may reach the port, as 203.0.113.7/32 (default: none)",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=8000, help="port of the server (default: 8000)")
    parser.add_argument("--key-name", metavar="NAME", help="EC2 key pair to put on the instance")
    parser.add_argument(
        "--instance-profile", metavar="NAME",
        help="instance profile for Session Manager, which needs no open port",
    )  # fmt: skip
    parser.add_argument("--subnet", metavar="ID", help="subnet (default: one of the default VPC)")
    parser.add_argument(
        "--prices", metavar="PATH|aws",
        help="price table, or aws to ask AWS (default: the shipped table of us-east-1)",
    )  # fmt: skip
    parser.add_argument(
        "--hours-shown", type=float, metavar="HOURS", help="also show the cost of that many hours"
    )


def run(arguments: Namespace) -> int:
    if arguments.list:
        _list(Ec2(arguments.region))
    elif arguments.teardown:
        removed = Ec2(arguments.region).teardown(arguments.teardown)
        print(f"removed: {', '.join(removed)}")
    else:
        _deploy(arguments)
    return 0


def _deploy(arguments: Namespace) -> None:
    plan = _plan(arguments)
    print(_describe(plan, arguments.hours_shown))
    if not arguments.revision:
        print(_unpushed_notice(arguments.suite))
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
        raise UserError("name the folder of a suite, or --list, or --teardown NAME")
    if arguments.hours_shown is not None and not arguments.hours_shown > 0:
        raise UserError(f"--hours-shown {arguments.hours_shown:g}: must be more than 0 hours")
    suite = address_of(arguments.suite).load()
    variant = arguments.variant or suite.baseline or suite.variant_ids[0]
    if variant not in suite.variant_ids:
        known = ", ".join(suite.variant_ids)
        raise UserError(f"--variant: {suite.name} has no {variant}; it has {known}")
    return DeploymentPlan(
        name=arguments.name or deployment_name(suite.name, variant),
        suite=suite.name,
        variant=variant,
        extras=extras_of(suite, variant),
        source=source_of(arguments.suite, arguments.repository, arguments.revision),
        instance_type=arguments.instance,
        region=arguments.region,
        price=_price(arguments),
        allow=arguments.allow,
        port=arguments.port,
        key_name=arguments.key_name,
        instance_profile=arguments.instance_profile,
        subnet=arguments.subnet,
    )


def extras_of(suite: Suite, variant: str) -> tuple[str, ...]:
    """Return the extras of pytest-infperf that a variant and its server need."""
    extra = suite.variant(variant).extra
    return (*filter(None, [extra]), *suite.task.extras, "serve")


def deployment_name(suite: str, variant: str) -> str:
    """Return the name of a deployment of a variant."""
    return re.sub("[^a-z0-9]+", "-", f"{suite}-{variant}".lower())[:63].strip("-")


def source_of(suite: Path, repository: str | None, commit: str | None) -> Source:
    """Return the repository, revision and folder of a suite, by default those that are checked out.

    Raises UserError if the instance cannot clone them.
    """
    folder = suite.resolve()
    if words := git.refusal(folder):
        raise UserError(f"git does not read the repository of {suite}: {words}")
    ask = partial(git.ask, folder, time_limit_s=git.TIME_LIMIT_S)
    top = Path(ask("rev-parse", "--show-toplevel") or Path.cwd()).resolve()
    repository = repository or ask("remote", "get-url", "origin")
    if not repository:
        raise UserError(
            f"{suite} is in no git repository with a remote origin: name one with "
            "--repository, an https address that anyone may clone"
        )
    commit = commit or (revision(folder) or {}).get("commit")
    if not commit:
        raise UserError(f"{suite} has no commit checked out: name a --revision")
    if not folder.is_relative_to(top):
        raise UserError(f"{suite} is not below {top}, so a clone would not contain it")
    return Source(repository, commit, folder.relative_to(top).as_posix())


def _unpushed_notice(folder: Path) -> str:
    """Return what a deployment of the commit that is checked out does not contain."""
    changed = (revision(folder) or {}).get("dirty")
    return "  push the commit first, because the instance clones it" + (
        "; uncommitted changes are not part of it" if changed else ""
    )


def _price(arguments: Namespace) -> Price | str:
    """Return the price of the instance type, or the reason why it is not known."""
    if arguments.prices == "aws":
        price = prices.ask_aws(arguments.instance, arguments.region)
    else:
        table = prices.table(arguments.prices, Path.cwd())
        price = table.price(arguments.instance, arguments.region)
    return price.replace("--infperf-prices", "--prices") if isinstance(price, str) else price


def _describe(plan: DeploymentPlan, hours: float | None) -> str:
    source = plan.source
    rows = {
        "instance": f"{plan.instance_type} in {plan.region}, newest Amazon Linux 2023, metadata "
        "service of version 2 only",
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
    warning = "; that is everybody, and the server has no password" if plan.open_to_all else ""
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
