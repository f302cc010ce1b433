"""The type and region of this EC2 instance, from the user or the instance metadata service.

Requests follow version 2 of the service: first a token, then the facts (Amazon EC2 User Guide, Use
the Instance Metadata Service). They take at most one second in total. No request is made if the
firmware shows that this is not an EC2 host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Literal
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from pytest_infperf.host.cpu import ROOT, read_text

INSTANCE_VARIABLE = "INFPERF_INSTANCE"
"""Environment variable with the instance type."""
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"
"""These two variables are botocore's."""
LIMIT_S = 1.0
_ENDPOINT = "http://169.254.169.254"
_SET_INSTANCE = f"or set the instance type yourself: {INSTANCE_VARIABLE}=c7i.large"


@dataclass(frozen=True)
class Instance:
    """Type and region of an EC2 instance, if known."""

    type: str | None = None
    """Instance type; None if this host is not an EC2 instance or its type is unknown."""
    region: str | None = None
    trouble: str = ""
    """Reason why the metadata service did not answer, with a remedy."""


def instance(
    *, ask: bool, environment: Mapping[str, str] = os.environ, root: Path = ROOT
) -> Instance:
    """Return the instance type and region of this host.

    With `ask`, the metadata service is used unless the environment sets the instance type or
    disables the service.
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if instance_type := environment.get(INSTANCE_VARIABLE):
        return Instance(instance_type, region)
    disabled = environment.get(DISABLED_VARIABLE, "").lower() == "true"
    endpoint = environment.get(ENDPOINT_VARIABLE)
    if not ask or disabled or not (endpoint or _may_be_ec2(root)):
        return Instance(None, region)
    answer = _request_within(LIMIT_S, endpoint or _ENDPOINT)
    # If it is unknown whether this is EC2, the address may belong to another service.
    trouble = answer.trouble if endpoint or _may_be_ec2(root) is True else ""
    return Instance(answer.type, answer.region or region, trouble)


def _may_be_ec2(root: Path) -> bool | Literal["unknown"]:
    """Return whether the firmware is Amazon's; "unknown" if it cannot be read."""
    vendor = read_text(root / "sys/class/dmi/id/sys_vendor")
    hypervisor = read_text(root / "sys/hypervisor/uuid") or ""
    if vendor is None and not hypervisor:
        return "unknown"
    return "amazon" in (vendor or "").lower() or hypervisor.startswith("ec2")


def _request_within(limit_s: float, endpoint: str) -> Instance:
    """Request the facts with a limit on the total time.

    The limit needs a thread, because a socket's time-out applies to each read: with a server that
    sends single bytes, the total time would have no limit.
    """
    answers: list[Instance] = []
    thread = Thread(target=lambda: answers.append(_request(endpoint, limit_s)), daemon=True)
    thread.start()
    thread.join(limit_s)
    if answers:
        return answers[0]
    return Instance(
        trouble=f"EC2's metadata service did not answer within {limit_s:g} s. In a container, its "
        f"hop limit must be 2 (`aws ec2 modify-instance-metadata-options "
        f"--http-put-response-hop-limit 2`), {_SET_INSTANCE}"
    )


def _request(endpoint: str, limit_s: float) -> Instance:
    opener = build_opener(ProxyHandler({}))

    # Longer than the limit of `_request_within`, which reports the missing answer.
    timeout_s = 2 * limit_s

    def text_of(path: str, method: str = "GET", **headers: str) -> str:
        prefixed = {f"X-aws-ec2-metadata-token{k}": v for k, v in headers.items()}
        request = Request(f"{endpoint.rstrip('/')}/latest/{path}", headers=prefixed, method=method)
        with opener.open(request, timeout=timeout_s) as response:
            return str(response.read(4096).decode("ascii", "replace")).strip()

    try:
        token = text_of("api/token", "PUT", **{"-ttl-seconds": "60"})
        return Instance(
            text_of("meta-data/instance-type", **{"": token}),
            text_of("meta-data/placement/region", **{"": token}),
        )
    except HTTPError as error:
        return Instance(
            trouble=f"EC2's metadata service refused the request ({error.code} {error.reason}): "
            f"enable it for this instance, {_SET_INSTANCE}"
        )
    except (URLError, OSError, ValueError):
        # No service at this address: a host in another cloud or on premises.
        return Instance()
