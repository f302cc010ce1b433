"""The door to AWS: its clients, and what it refuses told with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_infperf.errors import UserError

_REMEDIES = {
    "InvalidInstanceType": "name an instance type of that region with --instance",
    "Unsupported": "name another --instance, or with --subnet one of a zone that has this type",
    "InsufficientInstanceCapacity": "name another --instance or --subnet, or try later",
    "VcpuLimitExceeded": "ask for a higher limit in AWS's Service Quotas (Running On-Demand "
    "instances), or name a smaller --instance",
    "InstanceLimitExceeded": "ask for a higher limit in AWS's Service Quotas, or end instances",
    "UnauthorizedOperation": "give this user or role the permission; docs/deploy.md lists them",
    "AccessDeniedException": "give this user or role the permission; docs/deploy.md lists them",
    "AuthFailure": "check the credentials, and whether the account may use this region",
    "InvalidClientTokenId": "check the credentials",
    "UnrecognizedClientException": "check the credentials",
    "ExpiredToken": "sign in again (aws sso login)",
    "RequestExpired": "sign in again (aws sso login), and check this host's clock",
    "OptInRequired": "enable the region for the account",
    "InvalidKeyPair.NotFound": "name a key pair of that region with --key-name",
    "InvalidSubnetID.NotFound": "name a subnet of that region with --subnet",
    "InvalidGroup.Duplicate": "tear down what is left of it with --teardown, or choose a --name",
}


def client(service: str, region: str) -> Any:
    """Raises UserError where boto3 is missing, or the region is none."""
    try:
        import boto3
    except ImportError as error:
        raise UserError(
            "deploying to EC2 needs boto3: pip install 'pytest-infperf[aws]'"
        ) from error
    with explained():
        return boto3.client(service, region_name=region)


def code_of(error: BaseException) -> str | None:
    """AWS's name for what it refused; None for any other exception."""
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


@contextmanager
def explained() -> Iterator[None]:
    """Turns what botocore raises into UserError, with what to do about it."""
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
        remedy = _REMEDIES.get(code_of(error) or "")
        raise UserError(f"AWS: {error}{f'; {remedy}' if remedy else ''}") from error
    except exceptions.BotoCoreError as error:
        raise UserError(f"AWS: {error}") from error
