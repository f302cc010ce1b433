"""`infperf deploy FOLDER --variant ID`: a variant served on an EC2 instance.

Without `--yes` it shows what would be made and what that costs, and asks nothing of AWS.
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
from pytest_infperf.serving.deploy.ec2 import Deployed, Ec2
from pytest_infperf.serving.deploy.plan import VOLUME_GIB, DeploymentPlan, Source
from pytest_infperf.serving.deploy.user_data import script


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "suite", type=Path, nargs="?", metavar="FOLDER", help="of a suite, with its suite.py"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--yes", action="store_true", help="make it; without, only say what would be")
    what.add_argument(
        "--teardown", metavar="NAME", help="end a deployment and delete all that was made for it"
    )
    what.add_argument("--list", action="store_true", help="deployments in the region")
    parser.add_argument("--variant", metavar="ID", help="to serve (default: the baseline)")
    parser.add_argument("--name", help="of the deployment (default: suite and variant)")
    parser.add_argument(
        "--instance", default="c7i.large", metavar="TYPE", help="default: c7i.large"
    )
    parser.add_argument("--region", default="us-east-1", help="default: us-east-1")
    parser.add_argument(
        "--repository", metavar="URL", help="that holds the suite (default: git's remote origin)"
    )
    parser.add_argument(
        "--revision", metavar="REV", help="branch, tag or commit (default: the one checked out)"
    )
    parser.add_argument(
        "--allow", metavar="CIDR", help="who may reach the port: 203.0.113.7/32 (default: nobody)"
    )
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    parser.add_argument("--key-name", metavar="NAME", help="of an EC2 key pair")
    parser.add_argument(
        "--instance-profile", metavar="NAME", help="for Session Manager, which needs no open port"
    )
    parser.add_argument("--subnet", metavar="ID", help="default: one of the default VPC")
    parser.add_argument(
        "--prices", metavar="PATH|aws", help="default: the table that is shipped, of us-east-1"
    )
    parser.add_argument(
        "--hours-shown", type=float, metavar="HOURS", help="show the cost of that long too"
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
        print(_not_in_it(arguments.suite))
    if not arguments.yes:
        print("\nnothing was made, and AWS was not asked to: add --yes for that")
        return
    if not isinstance(plan.price, Price):
        raise UserError(f"nothing was made, for its cost is not known: {plan.price}")
    print()
    made = Ec2(plan.region).create(plan, lambda what: print(what, flush=True))
    print(_after(plan, made))


def _plan(arguments: Namespace) -> DeploymentPlan:
    if arguments.suite is None:
        raise UserError("name the folder of a suite, or --list, or --teardown NAME")
    if arguments.hours_shown is not None and not arguments.hours_shown > 0:
        raise UserError(f"--hours-shown {arguments.hours_shown:g}: more than 0 hours")
    suite = address_of(arguments.suite).load()
    variant = arguments.variant or suite.baseline or suite.variant_ids[0]
    if variant not in suite.variant_ids:
        known = ", ".join(suite.variant_ids)
        raise UserError(f"--variant: {suite.name} has no {variant}; it has {known}")
    needed = suite.variant(variant).extra
    return DeploymentPlan(
        name=arguments.name or _name(suite.name, variant),
        suite=suite.name,
        variant=variant,
        extras=(needed, "serve") if needed else ("serve",),
        source=_source(arguments),
        instance_type=arguments.instance,
        region=arguments.region,
        price=_price(arguments),
        allow=arguments.allow,
        port=arguments.port,
        key_name=arguments.key_name,
        instance_profile=arguments.instance_profile,
        subnet=arguments.subnet,
    )


def _name(suite: str, variant: str) -> str:
    return re.sub("[^a-z0-9]+", "-", f"{suite}-{variant}".lower())[:63].strip("-")


def _source(arguments: Namespace) -> Source:
    folder = arguments.suite.resolve()
    ask = partial(git.ask, folder, time_limit_s=git.TIME_LIMIT_S)
    top = Path(ask("rev-parse", "--show-toplevel") or Path.cwd()).resolve()
    repository = arguments.repository or ask("remote", "get-url", "origin")
    if not repository:
        raise UserError(
            f"{arguments.suite} is in no git repository with a remote: name one with --repository, "
            "an https address that anyone may clone"
        )
    checked_out = arguments.revision or (revision(folder) or {}).get("commit")
    if not checked_out:
        raise UserError("no commit is checked out here: name a --revision of the repository")
    if not folder.is_relative_to(top):
        raise UserError(f"{arguments.suite} is not below {top}, so a clone would not have it")
    return Source(repository, checked_out, folder.relative_to(top).as_posix())


def _not_in_it(folder: Path) -> str:
    """Of a deployment of what is checked out."""
    changed = (revision(folder) or {}).get("dirty")
    return "  the commit has to be pushed" + (
        "; your changes since are not part of it" if changed else ""
    )


def _price(arguments: Namespace) -> Price | str:
    if arguments.prices == "aws":
        found = prices.ask_aws(arguments.instance, arguments.region)
    else:
        table = prices.table(arguments.prices, Path.cwd())
        found = table.price(arguments.instance, arguments.region)
    return found.replace("--infperf-prices", "--prices") if isinstance(found, str) else found


def _describe(plan: DeploymentPlan, hours: float | None) -> str:
    source = plan.source
    rows = {
        "instance": f"{plan.instance_type} in {plan.region}, newest Amazon Linux 2023, metadata "
        "service of version 2 alone",
        "volume": f"{VOLUME_GIB} GiB of gp3, encrypted, deleted with the instance",
        "access": _access(plan),
        "source": f"{source.repository} at {source.revision}, {source.folder}",
        "cost": _cost(plan, hours),
    }
    if isinstance(plan.price, Price):
        rows["prices"] = f"{plan.price.source}; volume, address and traffic come on top"
    lines = [f"deployment {plan.name}: {plan.suite}[{plan.variant}]"]
    lines += [f"  {name:<10}{description}" for name, description in rows.items()]
    return "\n".join([*lines, "  user data", indent(script(plan).rstrip(), "    ")])


def _access(plan: DeploymentPlan) -> str:
    if plan.allow is None:
        return "nobody: its security group lets nothing in" + (
            "" if plan.instance_profile else " (--allow CIDR, or --instance-profile NAME)"
        )
    warned = "; that is everybody, and the server asks for no password" if plan.open_to_all else ""
    return f"{plan.allow} to port {plan.port} alone{warned}"


def _cost(plan: DeploymentPlan, hours: float | None) -> str:
    if not isinstance(plan.price, Price):
        return f"not known: {plan.price}"
    return ", ".join(f"{usd:,.4g} USD {span}" for span, usd in plan.costs(hours))


def _after(plan: DeploymentPlan, made: Deployed) -> str:
    if plan.allow:
        ready = f"when http://{made.address}:{plan.port}/readyz answers with 200 it is ready"
    elif plan.instance_profile:
        ready = (
            f"reach its port {plan.port} on this host with: aws ssm start-session "
            f"--region {plan.region} --target {made.instance} --document-name "
            f"AWS-StartPortForwardingSession --parameters portNumber={plan.port}"
        )
    else:
        ready = "nobody is let in yet: add a rule to its security group"
    return (
        f"{made.instance} runs at {made.address} and installs what it needs, which takes minutes; "
        f"{ready}\n"
        f"tear it down with: infperf deploy --teardown {plan.name} --region {plan.region}"
    )


def _list(ec2: Ec2) -> None:
    deployed, groups = ec2.deployed(), ec2.groups()
    if not deployed and not groups:
        print(f"no deployments in {ec2.region}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("deployment", "serves", "instance", "type", "state", "address", "since"):
        table.add_column(name, overflow="fold")
    for d in deployed:
        serves = f"{d.suite}[{d.variant}]"
        table.add_row(
            d.name, serves, d.instance, d.instance_type, d.state, d.address or "-", d.since
        )
    Console(highlight=False, markup=False, emoji=False).print(table)
    for group, name in groups.items():
        if name not in {d.name for d in deployed}:
            print(f"{group} is left of {name}: infperf deploy --teardown {name}")
