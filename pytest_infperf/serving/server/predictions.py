"""The routes that run the model: one for each payload of the suite."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel

from pytest_infperf.serving.server.engine import Engine, TimedAnswers
from pytest_infperf.serving.server.inference import UnreadableSample
from pytest_infperf.serving.server.refusals import RESPONSES
from pytest_infperf.serving.server.telemetry import Telemetry
from pytest_infperf.suite.payload import About, Payload

_NAMED_INSTANCES = 10


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
            dependencies=[Depends(require_json)],
            name=type(payload).__name__,
            summary=f"Predict with {about.suite}[{about.variant}]",
        )(_endpoint(engine, payload, about, telemetry))
    return router


async def answered(
    request: Request,
    engine: Engine,
    telemetry: Telemetry,
    samples: Sequence[Any],
    limit: int | None = None,
) -> TimedAnswers:
    """Return the answers to a request with samples, and record its query.

    Raises HTTPException if the model cannot read a sample, or an answer is not finite.
    """
    try:
        timed = await engine.answer(samples, request.state.seat, limit)
    except UnreadableSample as error:
        raise HTTPException(422, str(error)) from error
    finally:
        telemetry.waiting.set(engine.waiting)
    record(request, telemetry, timed)
    if broken := [i for i, answer in enumerate(timed.answers) if not answer.is_finite]:
        raise HTTPException(502, _not_finite(broken))
    return timed


def record(request: Request, telemetry: Telemetry, timed: TimedAnswers) -> None:
    """Add the query of a request to the metrics and the log."""
    telemetry.observe(timed)
    request.state.log_fields.update(
        samples=len(timed.answers),
        queued_s=round(timed.queued_s, 6),
        model_s=round(timed.model_s, 6),
        batch=timed.batch,
    )
    if timed.output_tokens:
        request.state.log_fields.update(
            output_tokens=timed.output_tokens, first_token_s=round(timed.first_token_s, 6)
        )


async def require_json(request: Request) -> None:
    """Refuse requests that FastAPI would report as a value of the wrong type."""
    if not await request.body():
        raise HTTPException(400, "the body is empty")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not re.fullmatch(r"application/([\w.+-]+\+)?json", kind):
        raise HTTPException(415, "the body must have the header content-type: application/json")


def _endpoint(
    engine: Engine, payload: Payload, about: About, telemetry: Telemetry
) -> Callable[[Request, Any], Awaitable[BaseModel]]:
    async def predict(request: Request, body: Any) -> BaseModel:
        try:
            samples = payload.samples(body)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        timed = await answered(request, engine, telemetry, samples)
        return payload.respond(body, timed.answers, about)

    # FastAPI validates the body against this annotation, which differs from payload to payload.
    predict.__annotations__["body"] = payload.request
    return predict


def _not_finite(broken: Sequence[int]) -> str:
    shown = ", ".join(map(str, broken[:_NAMED_INSTANCES]))
    more = f" and {len(broken) - _NAMED_INSTANCES} more" if len(broken) > _NAMED_INSTANCES else ""
    return (
        f"the model's result is not finite (NaN or infinite) for the instances {shown}{more}, so "
        "there is no output; trying again does not help"
    )
