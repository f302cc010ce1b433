"""How the variants of a suite are served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class Serving:
    """Of a suite: how its variants are served when load is put on them."""

    workers: int = 1
    """Processes that answer side by side, each with a model of its own."""
    queue: int = 64
    """Requests that may wait in a worker; those beyond are answered with 429."""
    batch: int = 1
    """Samples that are put into one query at most; 1 takes each request as it comes."""
    batch_window_ms: float = 0.0
    """How long the first request of a batch waits for others."""
    timeout_s: float = 30.0
    """Of a request, from its first byte to its answer; 504 after that."""
    max_body_bytes: int = 262_144
    """Larger requests are answered with 413."""
    payloads: Sequence[Payload] = ()
    """Requests of the user's own form that it answers beside the task's."""

    def __post_init__(self) -> None:
        for name, least in (("workers", 1), ("queue", 1), ("batch", 1), ("max_body_bytes", 1)):
            if getattr(self, name) < least:
                raise UserError(f"Serving({name}={getattr(self, name)}): at least {least}")
        if self.batch_window_ms < 0 or self.timeout_s <= 0:
            raise UserError(
                f"Serving(batch_window_ms={self.batch_window_ms}, timeout_s={self.timeout_s}): "
                "a window of at least 0 ms, and a time limit over 0 s"
            )

    def limits(self) -> dict[str, Any]:
        """All but the payloads, for a record."""
        values = asdict(self)
        del values["payloads"]
        return values
