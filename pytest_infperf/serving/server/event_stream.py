"""Server-sent events of one output, which end with an error if the model fails in the middle.

References
----------
HTML Living Standard, "Server-sent events":
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from pytest_infperf.serving.server.engine import Engine, PendingRequest, TimedAnswers
from pytest_infperf.serving.server.openai_route import openai_error

_LAST_EVENT_S = 2.0
"""Time for the event that reports the end of the time limit, in seconds."""


class EventStream(StreamingResponse):
    """The response with the events of one output.

    If the client leaves, the request is withdrawn, and the runner ends the output.

    Parameters
    ----------
    engine : Engine
        The engine that has the request.
    pending : PendingRequest
        The request.
    events : async iterator of str
        The events.
    """

    def __init__(self, engine: Engine, pending: PendingRequest, events: AsyncIterator[str]) -> None:
        super().__init__(
            events,
            media_type="text/event-stream",
            headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
        )
        self._engine = engine
        self._pending = pending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._engine.withdraw(self._pending)


def event(data: BaseModel, **options: Any) -> str:
    """Return an event with a JSON object; `options` are those of `model_dump_json`."""
    return f"data: {data.model_dump_json(**options)}\n\n"


async def next_piece(pending: PendingRequest) -> str | None:
    """Return the next piece of an output; None at its end. Raises what the query raised."""
    assert pending.pieces is not None
    piece = await pending.pieces.get()
    if piece is None:
        pending.result.result()
    return piece


async def events(
    request: Request,
    pending: PendingRequest,
    first: str | None,
    start: Sequence[str],
    part: Callable[[str], str],
    end: Callable[[TimedAnswers], Iterator[str]],
) -> AsyncIterator[str]:
    """Yield the events of an output, within the time limit of its request.

    Parameters
    ----------
    request : Request
        The HTTP request.
    pending : PendingRequest
        The request in the engine.
    first : str or None
        The first piece of the output; None for an empty output.
    start : sequence of str
        The events before the first piece.
    part : callable
        Returns the event of a piece.
    end : callable
        Returns the events after the last piece.
    """
    time_limit: asyncio.Timeout = request.state.time_limit
    deadline_s = time_limit.when()
    if deadline_s is not None:
        time_limit.reschedule(deadline_s + _LAST_EVENT_S)
    piece = first
    try:
        for text in start:
            yield text
        while piece is not None:
            yield part(piece)
            async with asyncio.timeout_at(deadline_s):
                piece = await next_piece(pending)
        for text in end(pending.result.result()):
            yield text
        yield "data: [DONE]\n\n"
    except TimeoutError:
        request.state.log_fields["error"] = "timeout"
        message = "the output is not complete within the time limit"
        yield event(openai_error(message, code="timeout"))
    except Exception:
        request.state.log_fields["error"] = "failed"
        logging.getLogger("infperf.request").exception("the model failed during a stream")
        message = "the model could not complete this output; see the server's log"
        yield event(openai_error(message, code="failed"))
