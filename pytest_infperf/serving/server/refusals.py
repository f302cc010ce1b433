"""Responses to requests that cannot be answered: one JSON form for every error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from pytest_infperf.serving.server.logs import REQUEST_ID


class Error(BaseModel):
    code: str
    message: str
    where: str | None = None
    """Part of the request that is wrong, as a dotted path."""
    request_id: str | None = None
    """The response's X-Request-ID, which is also in the server's log."""


class Refusal(BaseModel):
    error: Error


RETRY_AFTER_S = 1
"""Time after which a refused client should retry, in seconds."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body is empty or not valid JSON"},
    413: {"model": Refusal, "description": "The body is too large"},
    415: {"model": Refusal, "description": "The content type is not application/json"},
    422: {"model": Refusal, "description": "The body does not match the schema"},
    429: {"model": Refusal, "description": "Too many requests are waiting; try again later"},
    500: {"model": Refusal, "description": "The server failed; see its log"},
    502: {"model": Refusal, "description": "The model's result is not finite"},
    503: {"model": Refusal, "description": "The model is not loaded"},
    504: {"model": Refusal, "description": "No response within the time limit"},
}
"""Possible refusals of a payload's route, for the OpenAPI description."""

_CODES = {
    400: "not_json", 404: "not_found", 405: "method_not_allowed", 415: "wrong_content_type",
    422: "invalid", 429: "busy", 502: "not_finite", 503: "not_ready",
}  # fmt: skip


def refusal(
    status: int,
    code: str,
    message: str,
    where: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response that refuses a request."""
    error = {"code": code, "message": message}
    if where:
        error["where"] = where
    if request_id := REQUEST_ID.get():
        error["request_id"] = request_id
    return JSONResponse({"error": error}, status, headers)


def busy(*, is_kept: bool = True) -> JSONResponse:
    """Return the response to a request when the queue is full.

    Parameters
    ----------
    is_kept : bool, default True
        Whether the connection stays open.
    """
    headers = {"retry-after": str(RETRY_AFTER_S)} | ({} if is_kept else {"connection": "close"})
    return refusal(429, "busy", "too many requests are waiting", headers=headers)


def add_handlers(app: FastAPI) -> None:
    """Return a refusal for an invalid request."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Return a refusal with the first error, without the input, which may be long or binary."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return refusal(400, "not_json", str(first.get("ctx", {}).get("error", first["msg"])))
    where = ".".join(str(part) for part in first["loc"])
    printable = where.encode("utf-8", "replace").decode()
    return refusal(422, str(first["type"]), str(first["msg"]), printable)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "error")
    return refusal(error.status_code, code, str(error.detail), headers=error.headers)
