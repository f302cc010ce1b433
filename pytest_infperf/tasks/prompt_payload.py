"""Requests and responses for prompts and their continuations, by KServe's V1 protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from pytest_infperf.tasks.payloads import (
    MAX_INSTANCES,
    Instances,
    Strict,
    Text,
    Word,
    WrittenTexts,
)

MAX_MESSAGES = 1000
"""Maximum number of messages of a chat."""


class ChatMessage(Strict):
    role: Text
    content: Word


Chat = Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]


class Prompts(Strict):
    instances: Annotated[list[Text | Chat], Field(min_length=1, max_length=MAX_INSTANCES)]
    """Texts, or the messages of chats."""


class PromptToText(Instances):
    """Payload for prompts: texts, or the messages of chats."""

    request = Prompts
    response = WrittenTexts
    form = "text"
    form_settings: Mapping[str, Any] = {"cut": "beginning"}

    def samples(self, request: Any) -> list[Any]:
        return [
            prompt if isinstance(prompt, str) else [message.model_dump() for message in prompt]
            for prompt in request.instances
        ]
