"""The plan of a deployment: its resources and cost, without a call to AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urlsplit

from pytest_infperf.cost.prices import Price
from pytest_infperf.errors import UserError
from pytest_infperf.serving.capacity import HOURS_A_MONTH

VOLUME_GIB = 20
"""Size of the instance's volume, in GiB."""
BUILT = ""
"""The container's image that the instance builds from deploy/Dockerfile of the repository."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_REVISION = re.compile(r"[A-Za-z0-9_][\w./+-]*", re.ASCII)
_FOLDER = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*", re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][\w./:@-]*", re.ASCII)
_VARIANT = re.compile(r"[\w.][\w.@+:=-]*", re.ASCII)


@dataclass(frozen=True)
class Source:
    """The repository that the instance clones. Raises UserError if it cannot be cloned safely."""

    repository: str
    """HTTPS address that can be cloned without credentials."""
    revision: str
    """Branch, tag or commit."""
    folder: str
    """Folder of the suite, relative to the repository's root, with slashes."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.repository)
        if parts.scheme != "https" or not parts.hostname:
            raise UserError(
                f"--repository {self.repository}: the instance has no credentials, so specify an "
                "https address that can be cloned without any"
            )
        if parts.username or parts.password:
            raise UserError(
                f"--repository: the address at {parts.hostname} contains credentials, which "
                "anyone who can describe the instance can read; specify an address without them"
            )
        if not _REVISION.fullmatch(self.revision) or ".." in self.revision:
            raise UserError(f"--revision {self.revision!r}: specify a branch, a tag or a commit")
        if not _FOLDER.fullmatch(self.folder) or ".." in self.folder.split("/"):
            raise UserError(
                f"{self.folder!r}: specify the folder of a suite below the repository's root"
            )


@dataclass(frozen=True)
class DeploymentPlan:
    """One instance that serves one variant. Raises UserError if a field is not allowed."""

    name: str
    """Name of the deployment, which is its tag for listing and teardown."""
    suite: str
    variant: str
    extras: tuple[str, ...]
    """Extras of pytest-infperf that the variant and its server need."""
    source: Source
    instance_type: str
    region: str
    price: Price | str
    """Price of the instance, or the reason why it is not known."""
    allow: str | None = None
    """Addresses that may reach the port, in the form 203.0.113.7/32; None for nobody."""
    port: int = 8000
    """Port of the server."""
    key_name: str | None = None
    """Name of the EC2 key pair to put on the instance."""
    instance_profile: str | None = None
    """Name of the instance profile, for Session Manager."""
    subnet: str | None = None
    """Id of the subnet; None for one of the region's default VPC."""
    container: str | None = None
    """Image of a container that serves the variant: `BUILT` or the name of a public image; None
    installs the package and a systemd service."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(
                f"--name {self.name!r}: must be lowercase letters, digits and dashes, at most 63"
            )
        if not _VARIANT.fullmatch(self.variant):
            raise UserError(
                f"--variant {self.variant!r}: has characters that a shell would need quoted"
            )
        if self.container and not _IMAGE.fullmatch(self.container):
            raise UserError(
                f"--container {self.container!r}: specify an image, such as ghcr.io/acme/models:1.2"
            )
        if not 1024 <= self.port <= 65_535:
            raise UserError(
                f"--port {self.port}: must be 1024 to 65535, because the server is not run as root"
            )
        if self.allow is not None:
            try:
                ip_network(self.allow)
            except ValueError as error:
                raise UserError(
                    f"--allow {self.allow}: {error}; write it as 203.0.113.7/32 or 10.0.0.0/8"
                ) from error

    @property
    def open_to_all(self) -> bool:
        """Whether every address may reach the port."""
        return self.allow is not None and ip_network(self.allow).prefixlen == 0

    def costs(self, hours: float | None) -> Iterator[tuple[str, float]]:
        """Yield spans of time and their cost in US dollars; nothing if the price is not known.

        `hours` adds a span of that length.
        """
        if isinstance(self.price, Price):
            spans = {"an hour": 1.0, "a day": 24.0, "a month": HOURS_A_MONTH}
            if hours is not None:
                spans[f"for {hours:g} hours"] = hours
            for description, length in spans.items():
                yield description, length * self.price.usd_per_hour
