"""The HTTP application of one server process: routes around the engine, and limits around them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from pytest_infperf.host.processes import die_with_parent
from pytest_infperf.serving.server import completions, refusals
from pytest_infperf.serving.server.admission import Gate
from pytest_infperf.serving.server.engine import Engine, place_process
from pytest_infperf.serving.server.limits import Limits
from pytest_infperf.serving.server.openai_forms import ModelEntry
from pytest_infperf.serving.server.page import page_router
from pytest_infperf.serving.server.predictions import prediction_router
from pytest_infperf.serving.server.request_recorder import RequestRecorder
from pytest_infperf.serving.server.security import AllowedHosts, SecurityHeaders
from pytest_infperf.serving.server.settings import ENVIRONMENT, METRICS_FOLDER, Deployment
from pytest_infperf.serving.server.status import status_router
from pytest_infperf.serving.server.telemetry import Telemetry, TokenTelemetry
from pytest_infperf.suite.payload import About

_SWITCH_S = 0.0005
"""Switch interval between the model's thread and the event loop, in seconds.

Python's default of 5 ms is longer than many queries, and each request needs several switches.
"""


def from_environment() -> FastAPI:
    """Return the application of the deployment in the environment.

    uvicorn calls this function in each server process, by its import path and without arguments.
    """
    if parent := multiprocessing.parent_process():
        die_with_parent()
        if not parent.is_alive():
            sys.exit(1)
    deployment = Deployment.from_json(os.environ[ENVIRONMENT])
    sys.setswitchinterval(_SWITCH_S)
    place_process(deployment)
    return create(deployment, Telemetry(Path(os.environ[METRICS_FOLDER])))


def create(deployment: Deployment, telemetry: Telemetry) -> FastAPI:
    """Return the application that serves a deployment; its lifespan loads the model."""
    engine = Engine(deployment)
    suite, limits = engine.suite, deployment.limits
    about = About(suite.name, deployment.variant, os.path.basename(deployment.artifact))
    payloads = [suite.task.payload(engine.codec), *suite.serving.payloads]
    body_bytes = replace(limits, payloads=suite.serving.payloads).body_limit(payloads[0])
    paths = [payload.path(suite.name) for payload in payloads]
    if engine.writing:
        paths += completions.PATHS
        telemetry.tokens = TokenTelemetry()
    gate = Gate(engine, paths, telemetry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Gate]]:
        await engine.start()
        _leave_slowly(engine, limits.grace_s)
        telemetry.ready.set(1)
        yield {"gate": gate}  # read by the protocol from the state
        telemetry.ready.set(0)
        await engine.stop()

    app = FastAPIOffline(  # Swagger UI at /docs comes from this server
        redoc_url=None,
        title=f"{about.suite}: {about.variant}",
        version=about.version,
        summary=f"The variant {about.variant} of the suite {about.suite}",
        lifespan=lifespan,
    )
    app.add_middleware(Limits, gate=gate, max_body_bytes=body_bytes, timeout_s=limits.timeout_s)
    if "*" not in deployment.allowed_hosts:
        app.add_middleware(AllowedHosts, allowed_hosts=deployment.allowed_hosts)
    app.add_middleware(RequestRecorder, telemetry=telemetry)
    app.add_middleware(SecurityHeaders)  # the last one is the outermost
    refusals.add_handlers(app)
    app.include_router(prediction_router(engine, payloads, about, telemetry))
    model = None
    if engine.writing:
        built_s = int(os.path.getmtime(deployment.artifact))
        model = ModelEntry(id=about.suite, created=built_s)
        app.include_router(completions.completion_router(engine, about, telemetry, model))
    app.include_router(status_router(engine, about, telemetry, model))
    app.include_router(page_router(payloads[0], about, engine, body_bytes, limits.timeout_s))
    return app


def _leave_slowly(engine: Engine, grace_s: float) -> None:
    """On SIGTERM, report at /readyz that the server is ending, and end after a grace period."""
    end = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(end):
        return
    loop = asyncio.get_running_loop()

    def leave(number: int, frame: FrameType | None) -> None:
        engine.leaving = True
        loop.call_soon_threadsafe(loop.call_later, grace_s, end, number, frame)

    signal.signal(signal.SIGTERM, leave)
