"""The HTTP application of one worker: typed routes around the engine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from pytest_infperf.serving.server import page, telemetry
from pytest_infperf.serving.server.engine import Busy, Engine, place
from pytest_infperf.serving.server.limits import Limits
from pytest_infperf.serving.server.settings import ENVIRONMENT, Deployment
from pytest_infperf.suite.payload import About, Payload

_RETRY_AFTER_S = 1


class Error(BaseModel):
    code: str
    message: str
    where: str | None = None
    """The part of the request that is wrong."""


class Refusal(BaseModel):
    error: Error


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body is no JSON"},
    413: {"model": Refusal, "description": "The body is too large"},
    422: {"model": Refusal, "description": "The body is not of the form that is asked for"},
    429: {"model": Refusal, "description": "Too many requests wait; try again later"},
    504: {"model": Refusal, "description": "No answer within the time limit"},
}


def from_environment() -> FastAPI:
    """What uvicorn calls in each worker."""
    deployment = Deployment.from_json(os.environ[ENVIRONMENT])
    place(deployment)
    return create(deployment)


def create(deployment: Deployment) -> FastAPI:
    engine = Engine(deployment)
    suite, limits = engine.suite, deployment.limits
    about = About(suite.name, deployment.variant, os.path.basename(deployment.artifact))
    payloads = [suite.task.payload(engine.codec), *suite.serving.payloads]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await engine.start()
        telemetry.READY.set(1)
        yield
        telemetry.READY.set(0)
        await engine.stop()

    app = FastAPI(
        title=f"{about.suite}: {about.variant}",
        version=about.version,
        summary="A model variant behind an HTTP API",
        lifespan=lifespan,
    )
    app.add_middleware(Limits, max_body_bytes=limits.max_body_bytes, timeout_s=limits.timeout_s)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    for payload in payloads:
        path = payload.path(suite.name)
        if path in [getattr(route, "path", None) for route in app.routes]:
            raise ValueError(f"two payloads have the path {path}")
        app.post(
            path,
            response_model=payload.response,
            responses=_REFUSALS,
            name=type(payload).__name__,
        )(_endpoint(engine, payload, about))

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @app.get("/readyz", responses={503: {"model": Refusal}})
    async def readyz() -> dict[str, str]:
        """The model is loaded and takes requests."""
        if not engine.ready:
            raise HTTPException(503, "the model is not loaded")
        return {"status": "ready"}

    @app.get(f"/v1/models/{suite.name}")
    async def model() -> dict[str, Any]:
        """As KServe's V1 protocol has it, with the variant that answers."""
        return {
            "name": suite.name,
            "ready": engine.ready,
            "variant": about.variant,
            "version": about.version,
        }

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Of all workers, in Prometheus' text format."""
        return PlainTextResponse(telemetry.exposition())

    if form := payloads[0].form:

        @app.get("/", response_class=HTMLResponse, include_in_schema=False)
        async def try_it() -> HTMLResponse:
            text = page.render(form, about, payloads[0].path(suite.name))
            return HTMLResponse(text, headers={"content-security-policy": page.POLICY})

    return app


def _endpoint(
    engine: Engine, payload: Payload, about: About
) -> Callable[[Request, Any], Awaitable[BaseModel]]:
    async def predict(request: Request, body: Any) -> BaseModel:
        try:
            samples = payload.samples(body)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        try:
            answered = await engine.answer(samples)
        except Busy:
            raise HTTPException(
                429, "too many requests wait", {"retry-after": str(_RETRY_AFTER_S)}
            ) from None
        finally:
            telemetry.WAITING.set(engine.waiting)
        telemetry.QUEUED_S.observe(answered.queued_s)
        telemetry.MODEL_S.observe(answered.model_s)
        telemetry.BATCH.observe(answered.batch)
        request.state.facts.update(
            samples=len(samples),
            queued_s=round(answered.queued_s, 6),
            model_s=round(answered.model_s, 6),
            batch=answered.batch,
        )
        return payload.respond(body, answered.answers, about)

    predict.__annotations__["body"] = payload.request
    return predict


def _refusal(
    status: int, code: str, message: str, where: str | None = None, headers: Any = None
) -> JSONResponse:
    error: dict[str, str] = {"code": code, "message": message}
    if where:
        error["where"] = where
    return JSONResponse({"error": error}, status, headers)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    """The first mistake, without the input: it may be long, or not be text at all."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return _refusal(400, "not_json", str(first.get("ctx", {}).get("error", first["msg"])))
    return _refusal(422, str(first["type"]), str(first["msg"]), _printable(where))


_CODES = {
    400: "not_json", 404: "not_found", 405: "method_not_allowed", 422: "invalid", 429: "busy",
    503: "not_ready",
}  # fmt: skip


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    code = _CODES.get(error.status_code, "error")
    return _refusal(error.status_code, code, str(error.detail), headers=error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    """The traceback is in the log; the client learns that it was not its fault."""
    return _refusal(500, "failed", "the model could not answer this request; see the server's log")


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
