"""Limits of size and time for every request, around the application that answers it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pytest_infperf.serving.server.refusals import refusal

_DRAINED_BYTES = 16 * 2**20
_DRAINING_S = 2.0
_CLOSE = {"connection": "close"}


class _TooLarge(Exception):
    pass


class Limits:
    """ASGI middleware that refuses bodies that are too large (413) and stops slow answers (504)."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._max_body_bytes)
        exchange.too_large = _declared_length(scope) > self._max_body_bytes
        try:
            if not exchange.too_large:
                async with asyncio.timeout(self._timeout_s):
                    with suppress(_TooLarge):
                        await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            if not exchange.has_started:
                message = f"no answer within {self._timeout_s:g} s"
                await refusal(504, "timeout", message, headers=_CLOSE)(scope, receive, send)
            return
        if exchange.too_large:
            await _drain(receive)
            message = f"the request is larger than {self._max_body_bytes} bytes"
            await refusal(413, "too_large", message, headers=_CLOSE)(scope, receive, send)


class _Exchange:
    """One request and its response: the size of the body so far, and whether an answer began."""

    def __init__(self, receive: Receive, send: Send, max_body_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._left_bytes = max_body_bytes
        self.too_large = False
        self.has_started = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        if self._left_bytes < 0:
            self.too_large = True
            raise _TooLarge
        return message

    async def send(self, message: Message) -> None:
        if self.too_large:  # FastAPI takes any error of a body for invalid JSON, and says so
            return
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
