"""Options of commands that describe a deployment: source, access, price and container."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from pytest_infperf.cost import prices
from pytest_infperf.cost.prices import Price
from pytest_infperf.errors import UserError
from pytest_infperf.options import port
from pytest_infperf.repository import git
from pytest_infperf.repository.revision import revision
from pytest_infperf.serving.deploy.plan import BUILT, DeploymentPlan, Source
from pytest_infperf.suite.suite import Suite


def add_options(parser: ArgumentParser) -> None:
    """Add the options of deployments that are common to all commands."""
    parser.add_argument("--region", default="us-east-1", help="AWS region (default: us-east-1)")
    parser.add_argument(
        "--repository", metavar="URL",
        help="repository that contains the suite (default: git's remote origin)",
    )  # fmt: skip
    parser.add_argument(
        "--revision", metavar="REV",
        help="branch, tag or commit of the repository (default: the checked-out commit)",
    )  # fmt: skip
    parser.add_argument(
        "--allow", metavar="CIDR",
        help="addresses that may reach the port, as 203.0.113.7/32 (default: none)",
    )  # fmt: skip
    parser.add_argument("--port", type=port, default=8000, metavar="N", help="port of the server")
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
        "--container", nargs="?", const=BUILT, metavar="IMAGE",
        help="serve from a container of this image or, without a name, of an image that the "
        "instance builds from the repository's deploy/Dockerfile (default: a systemd service)",
    )  # fmt: skip


def deployment_plan(
    arguments: Namespace, suite: Suite, variant: str, instance_type: str, name: str
) -> DeploymentPlan:
    """Return the plan of a variant on an instance type, with the options of `add_options`.

    Raises UserError if an option is wrong, or the instance cannot clone the suite.
    """
    return DeploymentPlan(
        name=name,
        suite=suite.name,
        variant=variant,
        extras=extras_of(suite, variant),
        source=source_of(arguments.suite, arguments.repository, arguments.revision),
        instance_type=instance_type,
        region=arguments.region,
        price=price_of(instance_type, arguments.region, arguments.prices),
        allow=arguments.allow,
        port=arguments.port,
        key_name=arguments.key_name,
        instance_profile=arguments.instance_profile,
        subnet=arguments.subnet,
        container=arguments.container,
    )


def extras_of(suite: Suite, variant: str) -> tuple[str, ...]:
    """Return the extras of pytest-infperf that a variant and its server need.

    Raises UserError if the variant has an interpreter of its own, which the instance lacks.
    """
    if python := suite.variant(variant).interpreter:
        raise UserError(
            f"{variant} runs in an environment of its own ({python}), which an instance does not "
            "have: deploy a variant without python="
        )
    extra = suite.variant(variant).extra
    return (*filter(None, [extra]), *suite.task.extras, "serve")


def deployment_name(*parts: str) -> str:
    """Return the name of a deployment, made of suite, variant and any distinguishing parts."""
    return re.sub("[^a-z0-9]+", "-", "-".join(parts).lower())[:63].strip("-")


def source_of(suite: Path, repository: str | None, commit: str | None) -> Source:
    """Return the repository, revision and folder of a suite, by default the checked-out ones.

    Raises UserError if the instance cannot clone them.
    """
    folder = suite.resolve()
    if words := git.refusal(folder):
        raise UserError(f"git cannot read the repository of {suite}: {words}")
    ask = partial(git.ask, folder, time_limit_s=git.TIME_LIMIT_S)
    top = Path(ask("rev-parse", "--show-toplevel") or Path.cwd()).resolve()
    repository = repository or ask("remote", "get-url", "origin")
    if not repository:
        raise UserError(
            f"{suite} is not in a git repository with a remote origin: specify one with "
            "--repository, an https address that can be cloned without credentials"
        )
    commit = commit or (revision(folder) or {}).get("commit")
    if not commit:
        raise UserError(f"{suite} has no commit checked out: specify a --revision")
    if not folder.is_relative_to(top):
        raise UserError(f"{suite} is not below {top}, so a clone would not contain it")
    return Source(repository, commit, folder.relative_to(top).as_posix())


def unpushed_notice(folder: Path) -> str:
    """Return a note on what a deployment of the checked-out commit does not contain."""
    changed = (revision(folder) or {}).get("dirty")
    return "  push the commit first, because the instance clones it" + (
        "; uncommitted changes are not part of it" if changed else ""
    )


def price_of(instance_type: str, region: str, source: str | None) -> Price | str:
    """Return the price of an instance type, or the reason why it is not known.

    `source` is the path of a price table, "aws" to ask AWS, or None for the shipped table.
    """
    if source == "aws":
        price = prices.ask_aws(instance_type, region)
    else:
        price = prices.table(source, Path.cwd()).price(instance_type, region)
    return price.replace("--infperf-prices", "--prices") if isinstance(price, str) else price
