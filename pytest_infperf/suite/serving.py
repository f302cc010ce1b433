"""How the variants of a suite are served over HTTP."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.bounds import require_whole

if TYPE_CHECKING:
    from pytest_infperf.suite.payload import Payload


@dataclass(frozen=True)
class Serving:
    """How `variant.load` and `infperf serve` serve the variants of a suite.

    Parameters
    ----------
    workers : int, default 1
        The number of server processes, each with its own copy of the model.
    queue : int, default 64
        The maximum number of waiting requests per process; further requests get 429.
    batch : int, default 1
        The maximum number of samples per query; 1 runs each request separately.
    batch_window_ms : float, default 0
        The time for which the first request of a batch waits for others, in milliseconds.
    timeout_s : float, default 30
        The time limit from the first byte of a request to its response, in seconds. Requests that
        exceed it get 504.
    max_body_bytes : int, optional
        The maximum size of a request body, in bytes. Larger bodies get 413. None uses the size of
        the largest usual request: 30 s of speech, 8,000,000 for photos, and 262,144 for other
        samples.
    grace_s : float, default 1
        The time after SIGTERM during which the server still accepts requests while ``/readyz``
        returns 503, in seconds.
    payloads : sequence of Payload, optional
        Additional payloads, besides that of the task.

    Raises
    ------
    UserError
        If a number is below its minimum, is not finite or is not whole where only that is possible.
    """

    workers: int = 1
    queue: int = 64
    batch: int = 1
    batch_window_ms: float = 0.0
    timeout_s: float = 30.0
    max_body_bytes: int | None = None
    grace_s: float = 1.0
    payloads: Sequence[Payload] = ()

    def __post_init__(self) -> None:
        require_whole(self, "workers", "queue", "batch", "max_body_bytes")
        durations = self.batch_window_ms, self.timeout_s, self.grace_s
        if not all(0 <= duration < math.inf for duration in durations) or not self.timeout_s:
            raise UserError(
                f"Serving(batch_window_ms={self.batch_window_ms}, timeout_s={self.timeout_s}, "
                f"grace_s={self.grace_s}): batch_window_ms and grace_s must be at least 0, and "
                "timeout_s above 0"
            )

    def payload(self, name: str) -> Payload:
        """Return the additional payload with that name or class.

        Raises
        ------
        UserError
            If there is no such payload, or several of that class.
        """
        found = [each for each in self.payloads if name in (each.name, type(each).__name__)]
        if len(found) == 1:
            return found[0]
        names = [each.name or type(each).__name__ for each in self.payloads]
        raise UserError(
            f"{len(found) or 'none'} of the payloads in Serving(payloads=[...]) is {name!r}; "
            f"there are {', '.join(names) or 'none'}, and that of the task, which needs no name"
        )

    def body_limit(self, payload: Payload) -> int:
        """Return the maximum size of a request's body, in bytes.

        Parameters
        ----------
        payload : Payload
            The payload of the task, which is served in addition to `payloads`.
        """
        usual = max(each.body_bytes for each in (payload, *self.payloads))
        return usual if self.max_body_bytes is None else self.max_body_bytes

    def limits(self) -> dict[str, Any]:
        """Return all fields except the payloads, in JSON types."""
        values = asdict(self)
        del values["payloads"]
        return values
