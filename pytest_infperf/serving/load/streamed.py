"""Requests whose responses are streamed, and the reading of these responses, by OpenAI's API.

An event contains a piece of the output: the text of one token or of several. The server counts the
tokens in the `usage` of its last event, which the request asks for.

References
----------
https://platform.openai.com/docs/api-reference/completions/create and .../chat/streaming
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.serving.load.traffic import Reply
from pytest_infperf.suite.server_sent_events import EventParser

_END = "[DONE]"
_ENDED_EARLY = "stream ended early"


def streamed_body(body: bytes) -> bytes:
    """Return the body of a request, changed so that its response is streamed.

    Raises UserError if it is not a JSON object.
    """
    request = json.loads(body)
    if not isinstance(request, dict):
        raise UserError(
            f"the request {body[:80].decode(errors='replace')} cannot be streamed: by OpenAI's "
            "API, a request is a JSON object"
        )
    options = {**(request.get("stream_options") or {}), "include_usage": True}
    changed = {**request, "stream": True, "stream_options": options}
    return json.dumps(changed, ensure_ascii=False).encode()


def is_stream(status: int, content_type: str) -> bool:
    """Return whether a response is a stream of events: servers may ignore that one is asked for."""
    return 200 <= status < 300 and content_type.partition(";")[0].strip() == "text/event-stream"


class StreamReader:
    """Reads one streamed response, and records when pieces of its output arrive."""

    def __init__(self) -> None:
        self.arrivals_s: list[float] = []
        """The moments at which pieces of output arrived, in seconds of the monotonic clock. Pieces
        that arrive together have one."""
        self.prompt_tokens: int | None = None
        """The number of tokens of the prompt; None if the server did not count them."""
        self.output_tokens: int | None = None
        """The number of tokens of the output; None if the server did not count them."""
        self.problem = _ENDED_EARLY
        """Why the response is an error; empty after a complete stream without an error."""
        self.refused = ""
        """The first event that is an error or has another form."""
        self._parser = EventParser()

    def feed(self, received: bytes, at_s: float) -> None:
        """Read the next bytes, which arrived at a moment of the monotonic clock."""
        for event in self._parser.feed(received):
            if event == _END:
                self.problem = self.problem if self.refused else ""
            else:
                self._read(event, at_s)

    def completed(self, reply: Reply) -> Reply:
        """Return a reply with the times and the number of its tokens, and what is wrong with it."""
        error = f"{self.problem} ({reply.error})" if reply.error else self.problem
        return replace(
            reply,
            error=error,
            arrivals_s=self.arrivals_s,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
        )

    def _read(self, event: str, at_s: float) -> None:
        try:
            content = json.loads(event)
            if content.get("error"):
                self._refuse(event, "error in the stream")
                return
            if usage := content.get("usage"):
                self.prompt_tokens = usage.get("prompt_tokens")
                self.output_tokens = usage.get("completion_tokens")
            has_output = any(map(_has_output, content.get("choices") or ()))
        except (ValueError, AttributeError, TypeError):
            self._refuse(event, "stream of another form")
            return
        if has_output and at_s not in self.arrivals_s[-1:]:
            self.arrivals_s.append(at_s)

    def _refuse(self, event: str, problem: str) -> None:
        if not self.refused:
            self.refused, self.problem = event, problem


def _has_output(choice: Mapping[str, Any]) -> bool:
    """Return whether a choice of an event contains a part of the output.

    The first event of a chat usually contains only the role of the writer. Thoughts and calls of
    tools are generated tokens too.
    """
    delta = choice.get("delta") or {}
    return bool(choice.get("text")) or any(value for name, value in delta.items() if name != "role")
