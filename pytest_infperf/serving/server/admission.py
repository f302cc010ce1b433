"""Admission: whether a request gets a place in the queue, decided before its body is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from time import monotonic
from typing import Any

from pytest_infperf.serving.server.engine import Engine
from pytest_infperf.serving.server.telemetry import Telemetry

_REFUSALS_PER_S = 250
"""Maximum rate of refusals, which leaves most of the processor to accepted requests."""
_LONGEST_PAUSE_S = 2.0
"""Longest time that a client waits for its refusal, in seconds."""


class Gate:
    """Access to the queue. All calls must be made in the event loop.

    Parameters
    ----------
    engine : Engine
        The engine with the queue.
    paths : collection of str
        Paths whose POST requests run the model; other requests need no place.
    telemetry : Telemetry
        Counts the requests that are refused before the application sees them.
    """

    def __init__(self, engine: Engine, paths: Collection[str], telemetry: Telemetry) -> None:
        self.engine = engine
        self.telemetry = telemetry
        self._paths = frozenset(paths)
        self._next_s = 0.0

    def leads_to_model(self, scope: Mapping[str, Any]) -> bool:
        """Return whether a request needs a place in the queue."""
        return scope["method"] == "POST" and scope["path"] in self._paths

    def enter(self, scope: MutableMapping[str, Any]) -> bool:
        """Reserve a place in the queue for the request; return False if the queue is full."""
        state = scope.setdefault("state", {})
        state["seat"] = state.get("seat") or self.engine.seat()
        return state["seat"] is not None

    @staticmethod
    def leave(scope: Mapping[str, Any]) -> None:
        """Release the place of a request that has ended, if it still has one."""
        if seat := scope.get("state", {}).get("seat"):
            seat.leave()

    def pause_s(self) -> float:
        """Return the delay of a refusal, in seconds.

        Without it, refusals to clients that retry at once would use the whole processor. A single
        client waits for milliseconds.
        """
        now_s = monotonic()
        self._next_s = max(self._next_s, now_s) + 1 / _REFUSALS_PER_S
        self._next_s = min(self._next_s, now_s + _LONGEST_PAUSE_S)
        return self._next_s - now_s
