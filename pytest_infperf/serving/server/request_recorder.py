"""An id, a count in the metrics and a line in the log for every request."""

from __future__ import annotations

import logging
import re
import uuid
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pytest_infperf.serving.server.logs import REQUEST_ID, log_request
from pytest_infperf.serving.server.refusals import refusal
from pytest_infperf.serving.server.telemetry import Telemetry

_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestRecorder:
    """ASGI middleware that gives each request an id, and counts and logs it when it ends.

    A well-formed X-Request-ID of the client is kept. An exception of the application is logged and
    answered with 500. Fields in `request.state.log_fields` are added to the line.
    """

    def __init__(self, app: ASGIApp, *, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 0
        given_id = Headers(scope=scope).get("x-request-id", "")
        request_id = given_id if _WELL_FORMED.fullmatch(given_id) else uuid.uuid4().hex[:16]
        REQUEST_ID.set(request_id)  # uvicorn runs each request in a context of its own
        log_fields = scope.setdefault("state", {}).setdefault("log_fields", {})

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).append("x-request-id", request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            logging.getLogger("infperf.request").exception("the application failed")
            if status:  # the answer has begun, so the connection can only be closed
                raise
            message = "the model could not answer this request; see the server's log"
            await refusal(500, "failed", message)(scope, receive, send_with_id)
        finally:
            seconds = perf_counter() - started
            # Each path without a route would add a time series.
            route = getattr(scope.get("route"), "path", "other")
            self._telemetry.requests.labels(route, str(status)).inc()
            self._telemetry.request_s.observe(seconds)
            log_request(
                {
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "seconds": round(seconds, 6),
                    **log_fields,
                }
            )
