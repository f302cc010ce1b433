"""The routes about the server itself: its health, its model and its metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import PlainTextResponse

from pytest_infperf.serving.server.engine import Engine
from pytest_infperf.serving.server.openai_forms import ModelEntry
from pytest_infperf.serving.server.refusals import Refusal
from pytest_infperf.serving.server.telemetry import Telemetry
from pytest_infperf.suite.payload import About


def status_router(
    engine: Engine, about: About, telemetry: Telemetry, entry: ModelEntry | None = None
) -> APIRouter:
    """Return a router with the routes about health, model and metrics.

    With an `entry` of OpenAI's list of models, the description of the model contains it.
    """
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Report that the process responds."""
        return {"status": "alive"}

    @router.get("/readyz", responses={503: {"model": Refusal}})
    async def readyz() -> dict[str, str]:
        """Report whether the model is loaded and accepts requests."""
        if not engine.ready:
            raise HTTPException(503, "the model is not loaded")
        return {"status": "ready"}

    @router.get(f"/v1/models/{about.suite}")
    async def model() -> dict[str, Any]:
        """Describe the model as KServe's V1 protocol does, and the variant that answers."""
        return {
            "name": about.suite,
            "ready": engine.ready,
            "variant": about.variant,
            "version": about.version,
            **(entry.model_dump() if entry else {}),
        }

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Return the metrics of all server processes in Prometheus' text format."""
        from prometheus_client import CONTENT_TYPE_LATEST

        return PlainTextResponse(telemetry.exposition(), media_type=CONTENT_TYPE_LATEST)

    return router
