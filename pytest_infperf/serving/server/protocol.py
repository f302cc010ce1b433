"""The connections of a server: refusals before a request reaches the application.

uvicorn limits neither headers nor silent connections, and its refusals cost as much as answers.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from collections.abc import Callable
from functools import cache, partial
from http import HTTPStatus
from typing import Any, cast
from uuid import uuid4

import httptools
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pytest_infperf.serving.server.admission import Gate
from pytest_infperf.serving.server.logs import REQUEST_ID, log_request
from pytest_infperf.serving.server.refusals import busy, refusal
from pytest_infperf.serving.server.security import SECURITY_HEADERS

_HEAD_BYTES = 65_536
"""Largest size of a request line with its headers, in bytes."""
_HEADERS = 100
"""Largest number of headers."""
_HEAD_S = 10.0
"""Time in which the headers of a request must be complete, in seconds."""
_CONNECTIONS = 4096
"""Largest number of connections to one process."""
_OTHER_FILES = 128
"""Open files that the process may need in addition to its connections."""
_REST_BYTES = 16 * 2**20
"""Largest part of a refused request that is read, in bytes."""


class LimitedProtocol(HttpToolsProtocol):
    """HTTP/1.1 of uvicorn with limits on headers, connections and waiting requests.

    A client that exceeds them is disconnected.
    """

    _timer: TimerHandle | None = None
    _pending: TimerHandle | None = None  # of a refusal that has not been written
    _is_kept = True
    _is_in_head = False
    _is_refused = False  # the rest of the request is read and dropped
    _head_bytes = 0
    _silent_bytes = 0  # since the parser last reported a header or a part of a body
    _too_large = ""

    @property
    def _gate(self) -> Gate | None:
        return self.app_state.get("gate")

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since_s = self.loop.time()
        self._timer = self.loop.call_later(_HEAD_S, self._check_time)
        if len(self.connections) > (most := _most_connections()):
            self._end(503, "too_many_connections", f"more than {most} connections")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._timer, self._pending):
            if timer:
                timer.cancel()

    def _check_time(self) -> None:
        """End a connection that waits too long for a request, or for its client to read."""
        if self.transport.is_closing():
            self.transport.abort()
            return
        left_s = _HEAD_S
        if not self._is_answering:
            left_s += self._since_s - self.loop.time()
            if left_s <= 0 and self._is_in_head:
                self._end(408, "too_slow", f"the headers were not complete within {_HEAD_S:g} s")
            elif left_s <= 0:
                self.transport.close()
        self._timer = self.loop.call_later(max(left_s, 1), self._check_time)

    def data_received(self, data: bytes) -> None:
        self._silent_bytes += len(data)
        super().data_received(data)
        if self._silent_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self._too_large = f"a header is larger than {_HEAD_BYTES} bytes"
            self.send_400_response("")

    def on_message_begin(self) -> None:
        self._is_in_head, self._is_refused, self._head_bytes = True, False, 0
        self._since_s = self.loop.time()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._silent_bytes = 0
        self._head_bytes += len(name) + len(value)
        if self._head_bytes + len(self.url) > _HEAD_BYTES:
            self._too_large = f"the headers are larger than {_HEAD_BYTES} bytes"
        elif len(self.headers) > _HEADERS:
            self._too_large = f"there are more than {_HEADERS} headers"
        if self._too_large:
            raise ValueError(self._too_large)  # stops the parser

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._silent_bytes = 0
        gate = self._gate
        if self._pending:  # a pipelined request is dropped with the connection
            self._is_refused, self._is_kept = True, False
        elif gate and not self._is_answering and self._is_too_many(gate):
            self._is_refused, self._is_kept = True, self.parser.should_keep_alive()
            self.flow.pause_reading()
            request = self.parser.get_method().decode(), self._path
            self._pending = self.loop.call_later(gate.pause_s(), self._refuse, *request)
        else:
            super().on_headers_complete()

    def _refuse(self, method: str, path: str) -> None:
        self._pending = None
        self._since_s = self.loop.time()
        if self.transport.is_closing():
            return
        self._write(partial(busy, is_kept=self._is_kept), method, path)
        if self._is_kept:
            self.flow.resume_reading()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        if self._pending:
            self._is_kept = False
        else:
            super().shutdown()

    @property
    def _path(self) -> str:
        return httptools.parse_url(self.url).path.decode("ascii")

    def _is_too_many(self, gate: Gate) -> bool:
        request = {"method": self.parser.get_method().decode(), "path": self._path}
        return gate.engine.is_full and gate.leads_to_model(request)

    def on_body(self, body: bytes) -> None:
        self._silent_bytes = 0
        if not self._is_refused:
            super().on_body(body)
            return
        self._head_bytes += len(body)
        if self._head_bytes > _REST_BYTES:
            self.transport.close()

    def on_message_complete(self) -> None:
        self._silent_bytes = 0
        if self._is_refused:
            return
        scope = cast("dict[str, Any]", self.cycle.scope)
        if self._gate and self._is_answering and self._gate.leads_to_model(scope):
            self._gate.enter(scope)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._since_s = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        if self._too_large:
            self._end(431, "headers_too_large", self._too_large)
        else:
            self._end(400, "not_http", "the request is not valid HTTP")

    def _end(self, status: int, code: str, message: str) -> None:
        """Answer with a refusal, and close the connection."""
        self._write(partial(refusal, status, code, message, headers={"connection": "close"}))
        self.transport.close()

    def _write(self, respond: Callable[[], Response], method: str = "", path: str = "") -> None:
        """Write, count and log a response that does not come from the application."""
        request_id = uuid4().hex[:16]
        context = REQUEST_ID.set(request_id)
        response = respond()
        status = response.status_code
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        headers = [
            *self.server_state.default_headers,
            *response.raw_headers,
            *SECURITY_HEADERS,
            (b"x-request-id", request_id.encode()),
        ]
        lines += [name + b": " + value for name, value in headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        if self._gate:
            self._gate.telemetry.requests.labels(path or "other", str(status)).inc()
        log_request({"method": method, "path": path, "status": status})
        REQUEST_ID.reset(context)


def connection_limit(soft_files: int) -> int:
    """Return the largest number of connections to a process that may open so many files."""
    return max(1, min(_CONNECTIONS, soft_files - _OTHER_FILES))


@cache
def _most_connections() -> int:
    """Return the largest number of connections, after this process may open files for them."""
    try:
        import resource
    except ImportError:  # not on Windows
        return _CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connection_limit(soft)
