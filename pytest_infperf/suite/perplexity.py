"""The text on which a language model's perplexity is measured, and its windows of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from pytest_infperf.errors import UserError


@dataclass(frozen=True)
class Window:
    """A part of a text that a model reads at once, and of which it scores the last tokens.

    Parameters
    ----------
    tokens : sequence of int
        The token ids.
    scored : int
        The number of tokens at the end that are scored. Those before them are only context.
    size : int
        The size of the text of the scored tokens in UTF-8, in bytes.
    """

    tokens: Sequence[int]
    scored: int
    size: int


@dataclass(frozen=True)
class Perplexity:
    """A text on which the perplexity of a language model is measured.

    The model reads the text in windows that overlap, and each token is scored once, in the first
    window that contains it [1]_. Of each window after the first, the first ``window - stride``
    tokens are context. The first token of the text is not scored.

    Parameters
    ----------
    text : str
        A text file in UTF-8, relative to the suite's folder, also with ``.gz``.
    window : int, default 512
        The length of a window, in tokens. Perplexities of different lengths are not comparable.
    stride : int, default 256
        The distance between the starts of two windows, in tokens, at most `window`. A smaller one
        gives more context and takes more time.
    sample_size : int, default 100
        The number of windows to score, drawn with a seed; ``--infperf-full`` scores all.
    kl_positions : int, default 1000
        The approximate number of tokens at which `kl_divergence` compares the distributions of the
        next token. They are evenly spaced in the scored windows, at least one in each. A
        distribution takes two bytes per token of the vocabulary on the disk.

    Raises
    ------
    UserError
        If a number is too small, or `stride` is larger than `window`.

    References
    ----------
    .. [1] "Perplexity of fixed-length models" in the documentation of transformers,
       https://huggingface.co/docs/transformers/perplexity

    Examples
    --------
    >>> from pytest_infperf import Perplexity
    >>> windows = Perplexity("wiki.txt", window=4, stride=2).windows([5, 6, 7, 8, 9], range(1, 6))
    >>> [(window.tokens, window.scored) for window in windows]
    [([5, 6, 7, 8], 3), ([7, 8, 9], 1)]
    """

    text: str
    _: KW_ONLY
    window: int = 512
    stride: int = 256
    sample_size: int = 100
    kl_positions: int = 1000

    def __post_init__(self) -> None:
        if self.window < 2 or not 1 <= self.stride <= self.window:
            raise UserError(
                f"Perplexity(window={self.window}, stride={self.stride}): window must be at least "
                "2, and stride from 1 to window"
            )
        if self.sample_size < 1 or self.kl_positions < 1:
            raise UserError(
                f"Perplexity(sample_size={self.sample_size}, kl_positions={self.kl_positions}): "
                "both must be at least 1"
            )

    def windows(self, tokens: Sequence[int], ends: Sequence[int]) -> list[Window]:
        """Return the windows of a text.

        Parameters
        ----------
        tokens : sequence of int, length n
            The token ids of the text.
        ends : sequence of int, length n
            The position of the end of each token in the text, in bytes.

        Raises
        ------
        UserError
            If the text has fewer than two tokens.
        """
        windows = []
        scored_to = 0
        for begin in range(0, len(tokens), self.stride):
            end = min(begin + self.window, len(tokens))
            first = max(scored_to, begin + 1)
            if first < end:
                size = ends[end - 1] - ends[first - 1]
                windows.append(Window(tokens[begin:end], end - first, size))
            scored_to = end
            if end == len(tokens):
                break
        if not windows:
            raise UserError(
                f"the text {self.text} has {len(tokens)} tokens, but its perplexity needs at least "
                "2: choose a longer text"
            )
        return windows
