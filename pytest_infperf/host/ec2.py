"""Which EC2 instance this host is: what the user says, else what the metadata service says.

The service is asked as AWS prescribes for version 2: a token first, then the facts (Amazon EC2 User
Guide, Use the Instance Metadata Service). All of it together may take one second, and where the
firmware says that this is no EC2 host nobody asks.
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
ENDPOINT_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
"""These two are botocore's names."""
DISABLED_VARIABLE = "AWS_EC2_METADATA_DISABLED"
LIMIT_S = 1.0
_ENDPOINT = "http://169.254.169.254"
_SET_INSTANCE = f"or say what this host is with {INSTANCE_VARIABLE}=c7i.large"


@dataclass(frozen=True)
class Instance:
    type: str | None = None
    region: str | None = None
    trouble: str = ""
    """Why the metadata service did not tell, and what to do about it."""


def instance(
    *, ask: bool, environment: Mapping[str, str] = os.environ, root: Path = ROOT
) -> Instance:
    """What is known of this host; an instance without a type is none of EC2's, or not known."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if named := environment.get(INSTANCE_VARIABLE):
        return Instance(named, region)
    disabled = environment.get(DISABLED_VARIABLE, "").lower() == "true"
    endpoint = environment.get(ENDPOINT_VARIABLE)
    if not ask or disabled or not (endpoint or _may_be_ec2(root)):
        return Instance(None, region)
    found = _within(LIMIT_S, endpoint or _ENDPOINT)
    # Where nothing says that this is EC2, something else may listen at that address.
    trouble = found.trouble if endpoint or _may_be_ec2(root) is True else ""
    return Instance(found.type, found.region or region, trouble)


def _may_be_ec2(root: Path) -> bool | Literal["unknown"]:
    """The firmware's vendor; where it can't be read, asking is the only way to know."""
    vendor = read_text(root / "sys/class/dmi/id/sys_vendor")
    hypervisor = read_text(root / "sys/hypervisor/uuid") or ""
    if vendor is None and not hypervisor:
        return "unknown"
    return "amazon" in (vendor or "").lower() or hypervisor.startswith("ec2")


def _within(limit_s: float, endpoint: str) -> Instance:
    """The answer, if it is there in time: a server that trickles would outlast its timeouts."""
    answers: list[Instance] = []
    thread = Thread(target=lambda: answers.append(_ask(endpoint, limit_s)), daemon=True)
    thread.start()
    thread.join(limit_s)
    if answers:
        return answers[0]
    return Instance(
        trouble=f"EC2's metadata service did not answer within {limit_s:g} s. In a container its "
        f"hop limit has to be 2 (`aws ec2 modify-instance-metadata-options "
        f"--http-put-response-hop-limit 2`), {_SET_INSTANCE}"
    )


def _ask(endpoint: str, limit_s: float) -> Instance:
    opener = build_opener(ProxyHandler({}))

    def answer(path: str, method: str = "GET", **headers: str) -> str:
        named = {f"X-aws-ec2-metadata-token{k}": v for k, v in headers.items()}
        request = Request(f"{endpoint.rstrip('/')}/latest/{path}", headers=named, method=method)
        with opener.open(request, timeout=limit_s) as response:
            return str(response.read(4096).decode("ascii", "replace")).strip()

    try:
        token = answer("api/token", "PUT", **{"-ttl-seconds": "60"})
        return Instance(
            answer("meta-data/instance-type", **{"": token}),
            answer("meta-data/placement/region", **{"": token}),
        )
    except HTTPError as error:
        return Instance(
            trouble=f"EC2's metadata service refused ({error.code} {error.reason}): allow it for "
            f"this instance, {_SET_INSTANCE}"
        )
    except (URLError, OSError, ValueError):
        # Nobody listens there: a host of another cloud, or of one's own.
        return Instance()
