"""Size and time limits of requests, before and around the application that answers them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from time import perf_counter
from typing import Any

from pytest_infperf.serving.server import telemetry
from pytest_infperf.serving.server.logs import log_request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


_DRAINED_BYTES = 16 * 2**20
_DRAINING_S = 2.0


class _TooLarge(Exception):
    pass


class Limits:
    """ASGI middleware: 413 for a body that is too large, 504 for what takes too long, and a line
    in the log for every request."""

    def __init__(self, app: Application, *, max_body_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status, size, too_large = perf_counter(), 0, 0, False
        request_id = uuid.uuid4().hex[:16]
        facts = scope.setdefault("state", {}).setdefault("facts", {})

        async def counted() -> Message:
            nonlocal size, too_large
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max_body_bytes:
                too_large = True
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            if too_large:  # FastAPI takes any error of a body for bad JSON
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            async with asyncio.timeout(self._timeout_s):
                too_large = _declared_length(scope) > self._max_body_bytes
                if not too_large:
                    with suppress(_TooLarge):
                        await self._app(scope, counted, noted)
            if too_large:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_DRAINING_S):
                        await _drain(receive)
                too_large = False
                text = f"the request is larger than {self._max_body_bytes} bytes"
                await _refuse(noted, 413, "too_large", text)
        except TimeoutError:
            if not status:
                text = f"no answer within {self._timeout_s:g} s"
                await _refuse(noted, 504, "timeout", text)
        finally:
            seconds = perf_counter() - begun
            # A path that is none of the server's would make a time series of its own.
            route = getattr(scope.get("route"), "path", "other")
            telemetry.REQUESTS.labels(route, str(status)).inc()
            telemetry.REQUEST_S.observe(seconds)
            log_request(
                {
                    "id": request_id,
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "seconds": round(seconds, 6),
                    **facts,
                }
            )


async def _drain(receive: Receive) -> None:
    """A client that is still sending when the connection closes would not see the answer."""
    left = _DRAINED_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body"):
            return


def _declared_length(scope: Message) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


async def _refuse(send: Send, status: int, code: str, text: str) -> None:
    body = json.dumps({"error": {"code": code, "message": text}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
