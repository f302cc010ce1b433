"""A simulated AWS account, and plans for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import moto
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from pytest_infperf.cost.prices import Price
from pytest_infperf.serving.deploy import ec2 as deployments
from pytest_infperf.serving.deploy.plan import DeploymentPlan, Source
from tests.serving.deploy.made import REGION, Planned, Refusing


@pytest.fixture
def planned() -> Planned:
    """Return a function that makes a plan with changed fields."""
    plan = DeploymentPlan(
        name="translation-fast",
        suite="translation",
        variant="fast",
        extras=("onnx", "serve"),
        source=Source("https://example.org/acme/models.git", "main", "suites/translation"),
        instance_type="c7i.large",
        region=REGION,
        price=Price(0.1, "a table"),
    )
    return lambda **changes: replace(plan, **changes)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return moto's EC2 client of the region; nothing reaches the network."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(deployments, "sleep", lambda seconds: None)
    with moto.mock_aws():
        yield boto3.client("ec2", region_name=REGION)


@pytest.fixture
def refusing(account: Any, monkeypatch: pytest.MonkeyPatch) -> Refusing:
    """Return a function that makes AWS refuse an operation, or raise another exception."""

    def refuse(
        operation: str, error: str | BaseException, *, dry_run: bool = False, times: int = 1000
    ) -> None:
        call = BaseClient._make_api_call
        refusals = iter(range(times))

        def refused(self: Any, name: str, arguments: dict[str, Any]) -> Any:
            matches = name == operation and arguments.get("DryRun", False) is dry_run
            if not matches or next(refusals, None) is None:
                return call(self, name, arguments)
            if isinstance(error, BaseException):
                raise error
            raise ClientError({"Error": {"Code": error, "Message": "the message of AWS"}}, name)

        monkeypatch.setattr(BaseClient, "_make_api_call", refused)

    return refuse
