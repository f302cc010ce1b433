"""Admission: whether a request gets a place in the queue, decided before its body is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from time import monotonic
from typing import Any

from pytest_infperf.serving.server.engine import Engine
from pytest_infperf.serving.server.telemetry import Telemetry

_REFUSALS_PER_S = 250
"""Rate of refusals that leaves the processor to the answers."""
_LONGEST_PAUSE_S = 2.0
"""Longest time that a client waits for its refusal, in seconds."""


class Gate:
    """The way to the queue. All calls belong to the event loop.

    Parameters
    ----------
    engine : Engine
        Has the queue.
    paths : collection of str
        Paths whose POST requests the model answers; others need no place.
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
        """Give the request a place in the queue, and return False if it is full."""
        state = scope.setdefault("state", {})
        state["seat"] = state.get("seat") or self.engine.seat()
        return state["seat"] is not None

    @staticmethod
    def leave(scope: Mapping[str, Any]) -> None:
        """Take back the place of a request that has ended, if it still has one."""
        if seat := scope.get("state", {}).get("seat"):
            seat.leave()

    def pause_s(self) -> float:
        """Return the time after which a client learns that it is refused, in seconds.

        Clients that come again at once would otherwise take all of the processor for refusals.
        A single one waits for milliseconds.
        """
        now_s = monotonic()
        self._next_s = max(self._next_s, now_s) + 1 / _REFUSALS_PER_S
        self._next_s = min(self._next_s, now_s + _LONGEST_PAUSE_S)
        return self._next_s - now_s
