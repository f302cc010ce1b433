"""OpenAI's routes for models that generate texts: completions of prompts and of chats."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from time import time
from typing import Any, ClassVar

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from pytest_infperf.serving.server.engine import Engine, TimedAnswers
from pytest_infperf.serving.server.event_stream import EventStream, event, events, next_piece
from pytest_infperf.serving.server.generation import GeneratedAnswer
from pytest_infperf.serving.server.inference import UnreadableSample
from pytest_infperf.serving.server.logs import REQUEST_ID
from pytest_infperf.serving.server.openai_forms import (
    AnswerMessage,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatRequest,
    ChunkChoice,
    Completion,
    CompletionChoice,
    CompletionRequest,
    FinishReason,
    ModelEntry,
    ModelList,
    Usage,
)
from pytest_infperf.serving.server.openai_route import RESPONSES_OF_OPENAI, OpenAIRoute
from pytest_infperf.serving.server.openai_settings import RefusedParameter, output_limit
from pytest_infperf.serving.server.predictions import answered, record, require_json
from pytest_infperf.serving.server.telemetry import Telemetry
from pytest_infperf.suite.payload import About

COMPLETIONS = "/v1/completions"
CHAT_COMPLETIONS = "/v1/chat/completions"
PATHS = (COMPLETIONS, CHAT_COMPLETIONS)
"""Paths whose POST requests run the model."""


class _Form(ABC):
    """How a route writes one response."""

    prefix: ClassVar[str]
    """Beginning of the id."""

    def __init__(self, about: About) -> None:
        self.head: Mapping[str, Any] = {
            "id": f"{self.prefix}-{REQUEST_ID.get()}",
            "created": int(time()),
            "model": about.suite,
            "system_fingerprint": f"{about.variant}-{about.version}",
        }

    @abstractmethod
    def whole(self, answers: Sequence[GeneratedAnswer], usage: Usage) -> BaseModel:
        """Return the response that is not streamed."""

    def start(self) -> list[BaseModel]:
        """Return the events before the first piece of the text."""
        return []

    @abstractmethod
    def part(self, text: str) -> BaseModel:
        """Return the event of a piece of the text."""

    @abstractmethod
    def end(self, reason: FinishReason) -> BaseModel:
        """Return the event at the end of the text."""

    @abstractmethod
    def usage(self, usage: Usage) -> BaseModel:
        """Return the event with the usage."""


class _TextForm(_Form):
    prefix = "cmpl"

    def whole(self, answers: Sequence[GeneratedAnswer], usage: Usage) -> Completion:
        choices = [
            CompletionChoice(index=i, text=answer.output, finish_reason=answer.finish_reason)
            for i, answer in enumerate(answers)
        ]
        return Completion(**self.head, choices=choices, usage=usage)

    def part(self, text: str) -> Completion:
        return self._event(CompletionChoice(text=text, finish_reason=None))

    def end(self, reason: FinishReason) -> Completion:
        return self._event(CompletionChoice(text="", finish_reason=reason))

    def usage(self, usage: Usage) -> Completion:
        return Completion(**self.head, choices=[], usage=usage)

    def _event(self, choice: CompletionChoice) -> Completion:
        return Completion(**self.head, choices=[choice])


class _ChatForm(_Form):
    prefix = "chatcmpl"

    def whole(self, answers: Sequence[GeneratedAnswer], usage: Usage) -> ChatCompletion:
        choices = [
            ChatChoice(
                index=i,
                message=AnswerMessage(content=answer.output),
                finish_reason=answer.finish_reason,
            )
            for i, answer in enumerate(answers)
        ]
        return ChatCompletion(**self.head, choices=choices, usage=usage)

    def start(self) -> list[BaseModel]:
        return [self._event(ChunkChoice(delta={"role": "assistant", "content": ""}))]

    def part(self, text: str) -> ChatChunk:
        return self._event(ChunkChoice(delta={"content": text}))

    def end(self, reason: FinishReason) -> ChatChunk:
        return self._event(ChunkChoice(delta={}, finish_reason=reason))

    def usage(self, usage: Usage) -> ChatChunk:
        return ChatChunk(**self.head, choices=[], usage=usage)

    def _event(self, choice: ChunkChoice) -> ChatChunk:
        return ChatChunk(**self.head, choices=[choice])


class _Completions:
    """Answers requests for completions with an engine."""

    def __init__(self, engine: Engine, about: About, telemetry: Telemetry) -> None:
        self._engine = engine
        self._about = about
        self._telemetry = telemetry

    async def answer(
        self, request: Request, body: CompletionRequest | ChatRequest, form: _Form
    ) -> Response:
        limit = self._limit(body)
        if body.stream:
            return await self._stream(request, body, form, limit)
        timed = await answered(request, self._engine, self._telemetry, body.samples, limit)
        whole = form.whole(_generated(timed), _usage(timed))
        return JSONResponse(whole.model_dump())

    def _limit(self, body: CompletionRequest | ChatRequest) -> int | None:
        """Return the limit on the tokens of an output. Raises RefusedParameter."""
        if body.model != self._about.suite:
            message = f"this server has the model {self._about.suite} only"
            raise RefusedParameter("model", message, "model_not_found", 404)
        # A runner may write the stop texts in another form than the task.
        decoding = {**self._engine.decoding, **self._engine.suite.task.decoding}
        return output_limit(body, decoding, can_stream=self._engine.can_stream)

    async def _stream(
        self,
        request: Request,
        body: CompletionRequest | ChatRequest,
        form: _Form,
        limit: int | None,
    ) -> EventStream:
        """Return the stream of an output, after its first piece.

        An error until then has a status of its own.
        """
        pending = self._engine.stream(body.samples[0], request.state.seat, limit)
        try:
            first = await next_piece(pending)
        except UnreadableSample as error:
            raise HTTPException(400, str(error)) from error
        except asyncio.CancelledError:
            self._engine.withdraw(pending)
            raise
        finally:
            self._telemetry.waiting.set(self._engine.waiting)
        has_usage = bool(body.stream_options and body.stream_options.include_usage)
        options: dict[str, Any] = {} if has_usage else {"exclude": {"usage"}}

        def end(timed: TimedAnswers) -> Iterator[str]:
            record(request, self._telemetry, timed)
            [answer] = _generated(timed)
            yield event(form.end(answer.finish_reason), **options)
            if has_usage:
                yield event(form.usage(_usage(timed)))

        text_events = events(
            request,
            pending,
            first,
            [event(each, **options) for each in form.start()],
            lambda text: event(form.part(text), **options),
            end,
        )
        return EventStream(self._engine, pending, text_events)


def completion_router(
    engine: Engine, about: About, telemetry: Telemetry, model: ModelEntry
) -> APIRouter:
    """Return a router with OpenAI's routes, and the list with the model that is served."""
    router = APIRouter(route_class=OpenAIRoute)
    completions = _Completions(engine, about, telemetry)
    name = f"{about.suite}[{about.variant}]"
    settings: dict[str, Any] = {"dependencies": [Depends(require_json)]}

    @router.post(
        COMPLETIONS,
        response_model=Completion,
        responses=_responses("events `data: {...}` with the same form, and `data: [DONE]`"),
        summary=f"Continue a prompt with {name}",
        **settings,
    )
    async def complete(request: Request, body: CompletionRequest) -> Response:
        """Answer as OpenAI's API does; with `stream`, while the text is generated."""
        return await completions.answer(request, body, _TextForm(about))

    @router.post(
        CHAT_COMPLETIONS,
        response_model=ChatCompletion,
        responses=_responses("events `data: {...}` with chunks, and `data: [DONE]`"),
        summary=f"Answer the messages of a chat with {name}",
        **settings,
    )
    async def complete_chat(request: Request, body: ChatRequest) -> Response:
        """Answer as OpenAI's API does; with `stream`, while the text is generated."""
        return await completions.answer(request, body, _ChatForm(about))

    @router.get("/v1/models")
    async def models() -> ModelList:
        """List the model that is served."""
        return ModelList(data=[model])

    return router


def _responses(events_description: str) -> dict[int | str, dict[str, Any]]:
    streamed = {"schema": {"type": "string"}}
    description = f"The output; with `stream`, {events_description}"
    successful = {"description": description, "content": {"text/event-stream": streamed}}
    return {200: successful, **RESPONSES_OF_OPENAI}


def _generated(timed: TimedAnswers) -> list[GeneratedAnswer]:
    return [answer for answer in timed.answers if isinstance(answer, GeneratedAnswer)]


def _usage(timed: TimedAnswers) -> Usage:
    return Usage(
        prompt_tokens=timed.prompt_tokens,
        completion_tokens=timed.output_tokens,
        total_tokens=timed.prompt_tokens + timed.output_tokens,
    )
