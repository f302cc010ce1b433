"""AWS clients, and AWS errors turned into messages with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_infperf.errors import UserError

_PERMISSION = "give this user or role the permission; docs/deploy.md lists all of them"
_REMEDIES = {
    "InvalidInstanceType": "specify an instance type of that region with --instance",
    "Unsupported": "specify another --instance, or a --subnet of a zone that has this type",
    "InsufficientInstanceCapacity": "specify another --instance or --subnet, or try again later",
    "VcpuLimitExceeded": "ask for a higher limit in AWS's Service Quotas (Running On-Demand "
    "instances), or specify a smaller --instance",
    "InstanceLimitExceeded": "ask for a higher limit in AWS's Service Quotas, or end instances",
    "UnauthorizedOperation": _PERMISSION,
    "AccessDeniedException": _PERMISSION,
    "AuthFailure": "check the credentials, and that the account may use this region",
    "InvalidClientTokenId": "check the credentials",
    "UnrecognizedClientException": "check the credentials",
    "ExpiredToken": "sign in again (aws sso login)",
    "RequestExpired": "sign in again (aws sso login), and check this host's clock",
    "OptInRequired": "enable the region for the account",
    "InvalidKeyPair.NotFound": "specify a key pair of that region with --key-name",
    "InvalidSubnetID.NotFound": "specify a subnet of that region with --subnet",
    "InvalidGroup.Duplicate": "remove it with --teardown, or choose another --name",
}
"""Remedy for an error, by its AWS code."""


def client(service: str, region: str) -> Any:
    """Return boto3's client of a service.

    Raises UserError if boto3 is not installed, or if there is no such region.
    """
    try:
        import boto3
    except ImportError as error:
        raise UserError(
            "deploying to EC2 needs boto3: pip install 'pytest-infperf[aws]'"
        ) from error
    with user_errors():
        return boto3.client(service, region_name=region)


def error_code(error: BaseException) -> str | None:
    """Return AWS's code of an error; None for an exception that is not from AWS."""
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn the exceptions of botocore into UserError, with a remedy where one is known."""
    from botocore import exceptions

    try:
        yield
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise UserError(
            f"{error}: sign in with `aws configure` or `aws sso login`, or set AWS_PROFILE"
        ) from error
    except (exceptions.EndpointConnectionError, exceptions.InvalidRegionError) as error:
        raise UserError(f"{error}: check --region and the network") from error
    except exceptions.ClientError as error:
        remedy = _REMEDIES.get(error_code(error) or "")
        raise UserError(f"AWS: {error}{f'; {remedy}' if remedy else ''}") from error
    except exceptions.BotoCoreError as error:
        raise UserError(f"AWS: {error}") from error
