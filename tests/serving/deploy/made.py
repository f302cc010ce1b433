"""Helpers of tests of deployments: types of fixtures, contents of an account, shipped variants."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pytest_infperf.cli import serve
from pytest_infperf.serving.deploy.plan import DeploymentPlan
from pytest_infperf.suite.discovery import SuiteAddress

ROOT = Path(__file__).parents[3]
REGION = "us-east-1"
Planned = Callable[..., DeploymentPlan]


class Refusing(Protocol):
    def __call__(
        self,
        operation: str,
        error: str | BaseException,
        *,
        dry_run: bool = False,
        times: int = ...,
    ) -> None: ...


def instances(client: Any) -> list[dict[str, Any]]:
    """Return all instances that are not terminated."""
    all_instances = [i for r in client.describe_instances()["Reservations"] for i in r["Instances"]]
    return [i for i in all_instances if i["State"]["Name"] != "terminated"]


def groups(client: Any) -> list[dict[str, Any]]:
    """Return all security groups except the default group of each network."""
    all_groups = client.describe_security_groups()["SecurityGroups"]
    return [group for group in all_groups if group["GroupName"] != "default"]


def tags(described: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described["Tags"]}


def parse_serve(words: list[str]) -> Namespace:
    parser = ArgumentParser()
    serve.configure(parser)
    return parser.parse_args(words)


def shipped_variants(folder: Path) -> tuple[str, ...]:
    address = SuiteAddress(str(ROOT), ".".join([*folder.parts, "suite"]))
    return tuple(address.load().variant_ids)


def assert_it_serves_a_shipped_variant(words: list[str]) -> Namespace:
    arguments = parse_serve(words)
    assert arguments.variant in shipped_variants(arguments.suite)
    assert (arguments.host, arguments.port) == ("0.0.0.0", 8000)
    assert str(arguments.cache) == "/var/cache/infperf"
    return arguments
