"""What a deployment would make and cost, known before anything is asked of AWS."""

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
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_REVISION = re.compile(r"[A-Za-z0-9_][\w./+-]*", re.ASCII)
_FOLDER = re.compile(r"[\w.+-]+(?:/[\w.+-]+)*", re.ASCII)
_VARIANT = re.compile(r"[\w.][\w.@+:=-]*", re.ASCII)


@dataclass(frozen=True)
class Source:
    """Where the instance gets the suite from."""

    repository: str
    """An https address that can be cloned without credentials."""
    revision: str
    """A branch, a tag or a commit."""
    folder: str
    """Of the suite, relative to the repository's root; with slashes."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.repository)
        if parts.scheme != "https" or not parts.hostname:
            raise UserError(
                f"--repository {self.repository}: the instance has no key of yours, so it needs an "
                "https address that anyone may clone"
            )
        if parts.username or parts.password:
            raise UserError(
                f"--repository: the address at {parts.hostname} has credentials in it, and whoever "
                "may describe the instance can read them; name one without"
            )
        if not _REVISION.fullmatch(self.revision) or ".." in self.revision:
            raise UserError(f"--revision {self.revision!r}: name a branch, a tag or a commit")
        if not _FOLDER.fullmatch(self.folder) or ".." in self.folder.split("/"):
            raise UserError(f"{self.folder!r}: name a suite's folder below the repository's root")


@dataclass(frozen=True)
class DeploymentPlan:
    """One instance that serves one variant."""

    name: str
    """Of the deployment; it is the tag by which it is listed and torn down."""
    suite: str
    variant: str
    extras: tuple[str, ...]
    """Of pytest-infperf, that the variant and its server need."""
    source: Source
    instance_type: str
    region: str
    price: Price | str
    """Or why it is not known."""
    allow: str | None = None
    """The addresses that may reach the port, such as 203.0.113.7/32; None is nobody."""
    port: int = 8000
    key_name: str | None = None
    instance_profile: str | None = None
    subnet: str | None = None
    """None takes one of the region's default VPC."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(
                f"--name {self.name!r}: small letters, digits and dashes, at most 63 of them"
            )
        if not _VARIANT.fullmatch(self.variant):
            raise UserError(f"--variant {self.variant!r}: a service's command cannot hold this id")
        if not 1024 <= self.port <= 65_535:
            raise UserError(f"--port {self.port}: 1024 to 65535, for the server is not root")
        if self.allow is not None:
            try:
                ip_network(self.allow)
            except ValueError as error:
                raise UserError(
                    f"--allow {self.allow}: {error}; write it as 203.0.113.7/32 or 10.0.0.0/8"
                ) from error

    @property
    def open_to_all(self) -> bool:
        return self.allow is not None and ip_network(self.allow).prefixlen == 0

    def costs(self, hours: float | None) -> Iterator[tuple[str, float]]:
        """Spans of time and US dollars; none where the price is not known."""
        if isinstance(self.price, Price):
            spans = {"an hour": 1.0, "a day": 24.0, "a month": HOURS_A_MONTH}
            if hours is not None:
                spans[f"for {hours:g} hours"] = hours
            for description, length in spans.items():
                yield description, length * self.price.usd_per_hour
