"""Codec of causal language models: prompts and chats to token ids, and token ids to texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError, brief
from pytest_infperf.tasks.text_codec import open_tokenizer

Prompt = str | list[dict[str, str]]
"""A text, or the messages of a chat with `role` and `content`."""

_NO_LIMIT = 10**6
"""Tokenizers without a limit have a larger number as their maximum length."""


def prompt_of(cell: Any, place: str) -> Prompt:
    """Return the prompt in a cell of the test data.

    Parameters
    ----------
    cell : Any
        A text, or a sequence of messages.
    place : str
        The location of the cell for messages.

    Raises
    ------
    UserError
        If it is neither.
    """
    if isinstance(cell, str):
        return cell
    cell = cell.tolist() if hasattr(cell, "tolist") else cell
    is_list = isinstance(cell, list | tuple) and bool(cell)
    if not is_list or not all(
        isinstance(message, Mapping)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in cell
    ):
        raise UserError(
            f"{place} must be a text, or the messages of a chat as a list of "
            '{"role": ..., "content": ...}'
        )
    return [{"role": message["role"], "content": message["content"]} for message in cell]


class GenerationCodec:
    """Codec that uses the model's transformers tokenizer.

    Features are one list of token ids per prompt. Results are the ids of the prompt and of the
    generated tokens, padded on the right.

    Parameters
    ----------
    model : Path
        The model's folder.
    stop : sequence of str, default ()
        Texts at which an output ends.
    max_prompt_tokens : int, optional
        Maximum length of a prompt, in tokens; None uses the limit of the tokenizer.

    Raises
    ------
    UserError
        If the folder has no tokenizer.
    """

    def __init__(
        self, model: Path, stop: Sequence[str] = (), max_prompt_tokens: int | None = None
    ) -> None:
        self._model = model
        self._tokenizer = open_tokenizer(model)
        self._stop = tuple(stop)
        limit = int(self._tokenizer.model_max_length)
        self._limit = limit if limit < _NO_LIMIT else None
        self._longest = max_prompt_tokens or self._limit
        self._special = frozenset(self._tokenizer.all_special_ids)

    def encode(self, inputs: Sequence[Prompt], length: int | None = None) -> list[list[int]]:
        """Return the token ids of each prompt; longer prompts lose their beginning."""
        longest = self._longest if length is None else min(length, self._longest or length)
        return [self._ids(prompt)[-longest if longest else None :] for prompt in inputs]

    def cut(self, inputs: Sequence[Prompt]) -> list[bool]:
        """Return whether each prompt is truncated."""
        return [len(self._ids(prompt)) > (self._longest or _NO_LIMIT) for prompt in inputs]

    def _ids(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            ids: list[int] = self._tokenizer(prompt)["input_ids"]
        else:
            ids = self._tokenizer(self._chat(prompt), add_special_tokens=False)["input_ids"]
        if not ids:
            raise UserError("a prompt has no token: remove empty prompts from the test data")
        return ids

    def _chat(self, messages: list[dict[str, str]]) -> str:
        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # raised by the tokenizer or by its template
            raise UserError(
                f"the chat template of the tokenizer in {self._model} cannot be applied to "
                f"messages with the roles {', '.join(m['role'] for m in messages)} "
                f"({brief(error)}): use a model that was trained for chats, or texts as prompts"
            ) from error
        return text

    def decode(
        self, results: Sequence[Sequence[int]], features: Sequence[Sequence[int]]
    ) -> list[Any]:
        texts = self._tokenizer.batch_decode(
            [ids[len(prompt) :] for ids, prompt in zip(results, features, strict=True)],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return [self._until_stop(text) for text in texts]

    def _until_stop(self, text: str) -> str:
        ends = [end for stop in self._stop if (end := text.find(stop)) >= 0]
        return text[: min(ends)] if ends else text

    def token_counts(
        self, results: Sequence[Sequence[int]], features: Sequence[Sequence[int]]
    ) -> tuple[int, int]:
        """Return the number of tokens of the prompts, and of the outputs with their end tokens."""
        output = 0
        for ids, prompt in zip(results, features, strict=True):
            generated = list(ids[len(prompt) :])
            while len(generated) > 1 and generated[-1] in self._special:
                generated.pop()  # the end and padding, which may be the same token
            output += min(len(generated) + 1, len(ids) - len(prompt))
        return sum(map(len, features)), output

    def output_ids(
        self, results: Sequence[Sequence[int]], features: Sequence[Sequence[int]]
    ) -> list[list[int]]:
        """Return the ids of the generated tokens of each prompt, without end and padding."""
        outputs = []
        for ids, prompt in zip(results, features, strict=True):
            generated = list(ids[len(prompt) :])
            while generated and generated[-1] in self._special:
                generated.pop()
            outputs.append(generated)
        return outputs

    def text_tokens(self, text: str, window: int) -> tuple[list[int], list[int]]:
        """Return the token ids of a text for windows of a length, and the ends of the tokens.

        The ends are positions in the UTF-8 text, in bytes. A tokenizer written in Python does not
        report them: its tokens then all count as equally long.

        Raises UserError if the tokenizer has a limit that the window exceeds.
        """
        if self._limit and window > self._limit:
            raise UserError(
                f"Perplexity(window={window}) is longer than the {self._limit} tokens that the "
                f"tokenizer in {self._model} permits: set window={self._limit} or less"
            )
        is_fast = self._tokenizer.is_fast
        encoded = self._tokenizer(text, return_offsets_mapping=is_fast, verbose=False)
        ids: list[int] = encoded["input_ids"]
        sizes = [0, *accumulate(len(character.encode()) for character in text)]
        if is_fast:
            ends = [*accumulate((sizes[end] for _, end in encoded["offset_mapping"]), max)]
            ends[-1:] = sizes[-1:]  # what follows the last token
        else:
            ends = [sizes[-1] * number // len(ids) for number in range(1, len(ids) + 1)]
        return ids, ends
