"""The routes that answer with the model: one for each payload of the suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from pytest_infperf.serving.server.engine import Busy, Engine
from pytest_infperf.serving.server.refusals import RESPONSES
from pytest_infperf.serving.server.telemetry import Telemetry
from pytest_infperf.suite.payload import About, Payload

_RETRY_AFTER_S = 1


def prediction_router(
    engine: Engine, payloads: Sequence[Payload], about: About, telemetry: Telemetry
) -> APIRouter:
    """Return a router with a POST route for each payload.

    Raises ValueError if two payloads have the same path.
    """
    router = APIRouter()
    paths: set[str] = set()
    for payload in payloads:
        path = payload.path(about.suite)
        if path in paths:
            raise ValueError(f"two payloads have the path {path}")
        paths.add(path)
        router.post(
            path,
            response_model=payload.response,
            responses=RESPONSES,
            name=type(payload).__name__,
        )(_endpoint(engine, payload, about, telemetry))
    return router


def _endpoint(
    engine: Engine, payload: Payload, about: About, telemetry: Telemetry
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
            telemetry.waiting.set(engine.waiting)
        telemetry.queued_s.observe(answered.queued_s)
        telemetry.model_s.observe(answered.model_s)
        telemetry.batch.observe(answered.batch)
        request.state.facts.update(
            samples=len(samples),
            queued_s=round(answered.queued_s, 6),
            model_s=round(answered.model_s, 6),
            batch=answered.batch,
        )
        return payload.respond(body, answered.answers, about)

    # FastAPI validates the body against this annotation, which differs from payload to payload.
    predict.__annotations__["body"] = payload.request
    return predict
