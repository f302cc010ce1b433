"""Requests and responses of OpenAI's API for completions and chat completions.

Only the keys that the server supports are defined. The official client reads the responses.

References
----------
OpenAI, "API reference": https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_PROMPTS = 256
"""Maximum number of prompts of a request."""
MAX_MESSAGES = 1000
"""Maximum number of messages of a chat."""

FinishReason = Literal["stop", "length"]
Prompt = Annotated[str, StringConstraints(min_length=1)]


class _Request(BaseModel):
    """Strict types; other keys are allowed here, and refused with the settings."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class StreamOptions(_Request):
    include_usage: bool | None = None
    """Whether the last event before `[DONE]` has the usage."""


class GenerationRequest(_Request):
    """What both routes accept. A setting must have the value with which the variant is measured."""

    model: str
    """Name of the suite."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of tokens of an output; at most that of the suite, which is the default."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    min_tokens: int | None = None


class CompletionRequest(GenerationRequest):
    prompt: Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=MAX_PROMPTS)]
    """One text or several; one for a stream."""

    @property
    def samples(self) -> list[str]:
        """The prompts."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


class TextPart(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    type: Literal["text"]
    text: str


class ChatMessage(_Request):
    role: Prompt
    content: str | Annotated[list[TextPart], Field(min_length=1)]

    @property
    def text(self) -> str:
        """The text of all parts."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class ChatRequest(GenerationRequest):
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    """Newer name of `max_tokens`."""

    @property
    def samples(self) -> list[list[dict[str, str]]]:
        """The messages as one prompt."""
        return [[{"role": each.role, "content": each.text} for each in self.messages]]


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    """Number of generated tokens, with the end token."""
    total_tokens: int


class _Response(BaseModel):
    id: str
    created: int
    """Time of the request, in seconds since 1970."""
    model: str
    """Name of the suite."""
    system_fingerprint: str
    """The variant and the version of its artifact."""
    usage: Usage | None = None


class CompletionChoice(BaseModel):
    index: int = 0
    text: str
    finish_reason: FinishReason | None
    """None in an event before the last one of an output."""
    logprobs: None = None


class Completion(_Response):
    """A response, and an event of a stream."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[CompletionChoice]


class AnswerMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    index: int = 0
    message: AnswerMessage
    finish_reason: FinishReason
    logprobs: None = None


class ChatCompletion(_Response):
    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoice]


class ChunkChoice(BaseModel):
    index: int = 0
    delta: dict[Literal["role", "content"], str]
    finish_reason: FinishReason | None = None
    logprobs: None = None


class ChatChunk(_Response):
    """An event of a stream."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    choices: list[ChunkChoice]


class ModelEntry(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    """Time at which the variant was built, in seconds since 1970."""
    owned_by: str = "pytest-infperf"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelEntry]


class OpenAIError(BaseModel):
    message: str
    type: str
    param: str | None
    """Key of the request that is wrong."""
    code: str | None
    request_id: str
    """The response's X-Request-ID, which is also in the server's log."""


class OpenAIRefusal(BaseModel):
    error: OpenAIError
