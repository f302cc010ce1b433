"""Refusals of OpenAI's routes, in the form of OpenAI's errors."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from pytest_infperf.serving.server.logs import REQUEST_ID
from pytest_infperf.serving.server.openai_forms import OpenAIError, OpenAIRefusal
from pytest_infperf.serving.server.openai_settings import RefusedParameter
from pytest_infperf.serving.server.refusals import RESPONSES

RESPONSES_OF_OPENAI: dict[int | str, dict[str, Any]] = {
    400: {
        "model": OpenAIRefusal,
        "description": "The body is invalid, or asks for another decoding than that of the suite",
    },
    404: {"model": OpenAIRefusal, "description": "The server does not have this model"},
    415: {"model": OpenAIRefusal, "description": "The content type is not application/json"},
    "default": {"model": OpenAIRefusal, "description": "Any other error"},
    **{status: RESPONSES[status] for status in (413, 429, 500, 503, 504)},
}
"""Possible refusals of OpenAI's routes, for the OpenAPI description."""


def openai_error(
    message: str, *, status: int = 500, param: str | None = None, code: str | None = None
) -> OpenAIRefusal:
    """Return an error in OpenAI's form."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = OpenAIError(
        message=message, type=kind, param=param, code=code, request_id=REQUEST_ID.get()
    )
    return OpenAIRefusal(error=error)


class OpenAIRoute(APIRoute):
    """Route whose refusals have the form of OpenAI's errors."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_with_errors(request: Request) -> Response:
            try:
                return await handle(request)
            except RefusedParameter as error:
                refused = {"param": error.name, "code": error.code}
                return _refusal(str(error), error.status, **refused)
            except RequestValidationError as error:
                return _invalid(error)
            except HTTPException as error:
                status = 400 if error.status_code == 422 else error.status_code
                return _refusal(str(error.detail), status)

        return handle_with_errors


def _invalid(error: RequestValidationError) -> Response:
    """Return a refusal with the first error, without the input."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _refusal(f"the body is not valid JSON: {first.get('ctx', {}).get('error')}", 400)
    place = [str(part).encode("utf-8", "replace").decode() for part in first["loc"][1:]]
    return _refusal(
        f"{'.'.join(place) or 'the body'}: {first['msg']}",
        400,
        param=place[0] if place else None,
        code="invalid_value",
    )


def _refusal(
    message: str, status: int, param: str | None = None, code: str | None = None
) -> Response:
    body = openai_error(message, status=status, param=param, code=code)
    return JSONResponse(body.model_dump(), status)
