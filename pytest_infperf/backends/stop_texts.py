"""Texts that end an output, for runtimes that end outputs only at tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pytest_infperf.suite.tokenizer import open_tokenizer


class StopTexts:
    """The texts that end an output, found while tokens are generated.

    Parameters
    ----------
    texts : sequence of str
        The texts.
    decode : callable
        Returns the text of a list of token ids.
    """

    def __init__(self, texts: Sequence[str], decode: Callable[[list[int]], str]) -> None:
        self._texts = tuple(texts)
        self._decode = decode
        # A token has at least one byte. The decoded text can lack the space before its first word.
        self._window = max(len(text.encode()) for text in texts) + 1

    @classmethod
    def of_folder(cls, texts: Sequence[str], folder: Path) -> StopTexts:
        """Return the texts for tokens of the transformers tokenizer in a folder."""
        decode = open_tokenizer(folder).decode
        return cls(
            texts, partial(decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def end(self, ids: Sequence[int]) -> bool:
        """Return whether an output ends with its last token, given all of its token ids."""
        text = self._decode(list(ids[-self._window :]))
        return any(stop in text for stop in self._texts)
