"""Limits on the size and time of every request, around the application."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pytest_infperf.serving.server.admission import Gate
from pytest_infperf.serving.server.refusals import busy, refusal

_DRAINED_BYTES = 16 * 2**20
_DRAINING_S = 2.0
_CLOSE = {"connection": "close"}


class _Refused(Exception):
    pass


class Limits:
    """ASGI middleware that limits the size of bodies, the time of responses, and the queue.

    The status is 413 if a body is too large, 504 if a request is not answered in time, and 429 if
    the queue is full when a body is complete.
    """

    def __init__(self, app: ASGIApp, gate: Gate, *, max_body_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._gate = gate
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._max_body_bytes, self._gate)
        exchange.is_too_large = _declared_length(scope) > self._max_body_bytes
        try:
            if not exchange.is_too_large:
                async with asyncio.timeout(self._timeout_s) as time_limit:
                    scope.setdefault("state", {})["time_limit"] = time_limit
                    with suppress(_Refused):
                        await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            if not exchange.has_started:
                message = f"no response within {self._timeout_s:g} s"
                await refusal(504, "timeout", message, headers=_CLOSE)(scope, receive, send)
            return
        finally:
            self._gate.leave(scope)
        if exchange.is_too_large:
            await _drain(receive)
            message = (
                f"the request is larger than {self._max_body_bytes} bytes: send fewer samples, or "
                "raise the limit, with Serving(max_body_bytes=...) or infperf serve "
                "--max-body-bytes"
            )
            await refusal(413, "too_large", message, headers=_CLOSE)(scope, receive, send)
        elif exchange.is_too_many:
            await busy()(scope, receive, send)


class _Exchange:
    """One request and its response: the size of the body so far, and whether the response began."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int, gate: Gate
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._left_bytes = max_body_bytes
        self._gate = gate
        self._is_for_model = gate.leads_to_model(scope)
        self.is_too_large = False
        self.is_too_many = False
        self.has_started = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        self.is_too_large = self._left_bytes < 0
        is_complete = message["type"] == "http.request" and not message.get("more_body")
        if self._is_for_model and is_complete and not self.is_too_large:
            self.is_too_many = not self._gate.enter(self._scope)
        if self.is_too_large or self.is_too_many:
            raise _Refused
        return message

    async def send(self, message: Message) -> None:
        if self.is_too_large or self.is_too_many:
            return  # FastAPI reports any error in a body as invalid JSON
        self.has_started = True
        await self._send(message)


async def _drain(receive: Receive) -> None:
    """Read the rest of a body, within bounds of size and time.

    A client that is still sending when the connection closes would not see the answer.
    """
    left = _DRAINED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAINING_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def _declared_length(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0
