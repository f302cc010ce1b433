"""One output while the model generates it, and the answer that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from pytest_infperf.suite.codec import Writer
from pytest_infperf.suite.payload import Answer


@dataclass(frozen=True)
class GeneratedAnswer(Answer):
    """The output of a model that generates tokens, with their numbers."""

    prompt_tokens: int = 0
    """Number of tokens of the prompt."""
    output_tokens: int = 0
    """Number of generated tokens, with the end token."""
    finish_reason: Literal["stop", "length"] = "stop"
    """Whether the output ended at an end token or a stop text, or at its maximum length."""


class OutputEnded(Exception):
    """Ends a query of a runner in the middle, because no more tokens are needed."""


class Generation:
    """One output while it is generated, in the thread in which the runner delivers its tokens.

    Parameters
    ----------
    writer : Writer or None
        Converts tokens to text; None if the text is only needed at the end.
    limit : int or None
        Maximum number of tokens, if it is lower than that of the suite. Requires a writer.
    is_needed : callable
        Returns whether the request still waits for the output.
    deliver : callable
        Gets each new piece of text.
    """

    def __init__(
        self,
        writer: Writer | None,
        limit: int | None,
        is_needed: Callable[[], bool],
        deliver: Callable[[str], None],
    ) -> None:
        self._writer = writer
        self._limit = limit
        self._is_needed = is_needed
        self._deliver = deliver
        self._text = ""
        self._tokens = 0
        self.is_over = False
        """Whether no more tokens are needed although the query has not ended."""
        self.is_cut = False
        """Whether this is because the output is complete: at its limit, or at a stop text."""
        self.first_token_s: float | None = None
        """Time of the first token by `perf_counter`; None before it."""

    def receive(self, tokens: Sequence[Any]) -> None:
        """Take the next tokens from the runner. Raises OutputEnded if no more are needed."""
        self.is_over = self.is_over or not self._is_needed()
        if self.is_over:
            raise OutputEnded
        if self.first_token_s is None:
            self.first_token_s = perf_counter()
        if not self._writer:
            return
        taken = tokens if self._limit is None else tokens[: self._limit - self._tokens]
        self._tokens += len(taken)
        self._send(self._writer.write(taken))
        if self._writer.has_stopped or self._tokens == self._limit:
            self.is_over = self.is_cut = True
            raise OutputEnded

    def complete(self, output: str) -> None:
        """Deliver the part of the whole output that has not been delivered.

        Raises ValueError if the delivered text is not the beginning of the output.
        """
        if not output.startswith(self._text):
            raise ValueError("the delivered tokens do not decode to the beginning of the output")
        self._send(output[len(self._text) :])

    def cut_answer(self, prompt_tokens: int) -> GeneratedAnswer:
        """Return the answer of an output that ended before its query."""
        assert self._writer
        if not self._writer.has_stopped:
            self._send(self._writer.rest())
        return GeneratedAnswer(
            self._text,
            prompt_tokens=prompt_tokens,
            output_tokens=self._tokens,
            finish_reason="stop" if self._writer.has_ended else "length",
        )

    def _send(self, text: str) -> None:
        if text:
            self._text += text
            self._deliver(text)
