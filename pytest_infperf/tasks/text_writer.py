"""Text of an output while its tokens are generated: whole characters, and no stop text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

_INCOMPLETE = "\ufffd"
"""What a tokenizer decodes instead of a character whose last tokens are missing."""


class TextWriter:
    """Converts the tokens of one output to text.

    A token is decoded with the tokens before it, because its text depends on them [1]_. The first
    of these tokens moves with the text, so the time for a token does not grow with the output.

    Parameters
    ----------
    decode : callable
        Returns the text of a sequence of tokens.
    stop : sequence of str, default ()
        Texts at which the output ends.
    ends : collection, default ()
        Tokens at which the output ends.

    References
    ----------
    .. [1] `detokenize_incrementally` in
       https://github.com/vllm-project/vllm/blob/main/vllm/transformers_utils/detokenizer_utils.py
    """

    def __init__(
        self,
        decode: Callable[[Sequence[Any]], str],
        stop: Sequence[str] = (),
        ends: Collection[Any] = (),
    ) -> None:
        self._decode = decode
        self._stop = stop
        self._ends = ends
        self._tokens: list[Any] = []
        self._context = 0  # the first token that is decoded with new ones
        self._written = 0  # the first token whose text is not written
        self._held = ""
        self.has_stopped = False
        self.has_ended = False

    def write(self, tokens: Sequence[Any]) -> str:
        """Return the text that the next tokens add, in whole characters.

        Text that may be the beginning of a stop text is held back.
        """
        self._tokens += tokens
        self.has_ended = self.has_ended or any(token in self._ends for token in tokens)
        new = self._new_text()
        if not new or new.endswith(_INCOMPLETE):
            return ""
        self._context, self._written = self._written, len(self._tokens)
        return self._before_stop(new)

    def rest(self) -> str:
        """Return the text that is held back, if the output has no further token."""
        text = self._before_stop(self._new_text())
        text, self._held = text + self._held, ""
        self._written = len(self._tokens)
        return text

    def _new_text(self) -> str:
        known = self._decode(self._tokens[self._context : self._written])
        return self._decode(self._tokens[self._context :])[len(known) :]

    def _before_stop(self, new: str) -> str:
        """Return the held and new text, without a stop text and without what may begin one."""
        if self.has_stopped:
            return ""
        text = self._held + new
        if ends := [end for stop in self._stop if (end := text.find(stop)) >= 0]:
            self.has_stopped = self.has_ended = True
            self._held = ""
            return text[: min(ends)]
        beginnings = (stop[:size] for stop in self._stop for size in range(1, len(stop)))
        held = max((len(each) for each in beginnings if text.endswith(each)), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]
