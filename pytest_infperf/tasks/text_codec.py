"""Codec from texts and pairs of texts to the features of transformers models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.suite.tokenizer import open_tokenizer


class TextCodec:
    """Base class of codecs for transformers models that read texts or pairs of texts.

    Features are int64, shape [batch, tokens], padded to the longest text of a query. A fast
    tokenizer (`tokenizer.json`) is used directly, other tokenizers through transformers.

    Raises
    ------
    UserError
        If the model folder lacks a file, its `config.json` cannot be read, or the model has fewer
        positions than `max_tokens`.
    """

    def __init__(self, model: Path, max_tokens: int) -> None:
        self.config_path = model / "config.json"
        self.config = self._read_config()
        positions = self.config.get("max_position_embeddings")
        if isinstance(positions, int) and 0 < positions < max_tokens:
            raise UserError(
                f"the model reads at most {positions} tokens (max_position_embeddings in "
                f"{self.config_path}), but the task truncates to {max_tokens}: set "
                f"max_tokens={positions}"
            )
        if (model / "tokenizer.json").is_file():
            self._tokenizer: FastTokenizer | SlowTokenizer = FastTokenizer(
                model, self.config, max_tokens
            )
        else:
            self._tokenizer = SlowTokenizer(model, max_tokens)
        self.axes: Mapping[str, Sequence[str | int]] = dict.fromkeys(
            self._tokenizer.names, ("batch", "tokens")
        )

    def _read_config(self) -> dict[str, Any]:
        try:
            config: dict[str, Any] = dict(json.loads(self.config_path.read_text("utf-8")))
        except FileNotFoundError as error:
            raise UserError(
                f"{self.config_path} does not exist: the model must be a transformers folder"
            ) from error
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"{self.config_path} is not a transformers configuration ({error!r})"
            ) from error
        return config

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        return self._tokenizer.encode(inputs, length)

    def cut(self, inputs: Sequence[Any]) -> list[bool]:
        """Return whether each input is truncated."""
        return self._tokenizer.cut(inputs)


class FastTokenizer:
    """A tokenizer of the library `tokenizers`, without the Python code of transformers.

    Tests compare it with transformers.
    """

    def __init__(self, model: Path, config: Mapping[str, Any], max_tokens: int) -> None:
        from tokenizers import Tokenizer

        path = model / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no narrower class
            raise UserError(f"cannot read the tokenizer {path}: {error}") from error
        self._max_tokens = max_tokens
        self._tokenizer.enable_truncation(max_tokens)
        pad_id = int(config.get("pad_token_id") or 0)
        pad_token = self._tokenizer.id_to_token(pad_id) if pad_id >= 0 else None
        if pad_token is None:
            raise UserError(
                f"{model / 'config.json'}: pad_token_id is {pad_id}, but {path} has no such "
                "token: correct pad_token_id"
            )
        self._tokenizer.enable_padding(pad_id=pad_id, pad_token=pad_token)
        self._attributes = {"input_ids": "ids", "attention_mask": "attention_mask"}
        if config.get("type_vocab_size"):
            self._attributes["token_type_ids"] = "type_ids"
        self.names = tuple(self._attributes)

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        return self._features(self._encodings(inputs, length))

    def cut(self, inputs: Sequence[Any]) -> list[bool]:
        are_words = isinstance(inputs[0], list)
        encodings = (self._encodings_of_words if are_words else self._encodings)(inputs, None)
        return [bool(encoding.overflowing) for encoding in encodings]

    def encode_words(
        self, sentences: Sequence[Sequence[str]], length: int | None = None
    ) -> tuple[dict[str, Any], list[list[int | None]]]:
        """Return the features of sentences, and the position of the first token of each word.

        The position is None for a word without a token: a truncated one, or one that the
        tokenizer reduces to nothing.
        """
        encodings = self._encodings_of_words(sentences, length)
        positions = [
            {word: i for i, word in reversed([*enumerate(encoding.word_ids)])}
            for encoding in encodings
        ]
        return self._features(encodings), [
            [position_of.get(word) for word in range(len(sentence))]
            for position_of, sentence in zip(positions, sentences, strict=True)
        ]

    def _encodings_of_words(
        self, sentences: Sequence[Sequence[str]], length: int | None
    ) -> list[Any]:
        # A byte-level vocabulary has other tokens for a word without the space before it.
        if "ByteLevel" in repr(self._tokenizer.pre_tokenizer):
            sentences = [[f" {word}" for word in sentence] for sentence in sentences]
        return self._encodings(sentences, length, is_pretokenized=True)

    def _encodings(
        self, inputs: Sequence[Any], length: int | None, *, is_pretokenized: bool = False
    ) -> list[Any]:
        if length is not None:
            self._tokenizer.enable_truncation(length)
        encodings: list[Any] = self._tokenizer.encode_batch(
            list(inputs), is_pretokenized=is_pretokenized
        )
        if length is not None:
            self._tokenizer.enable_truncation(self._max_tokens)
        return encodings

    def _features(self, encodings: Sequence[Any]) -> dict[str, Any]:
        import numpy as np

        return {
            name: np.array([getattr(encoding, attribute) for encoding in encodings], dtype=np.int64)
            for name, attribute in self._attributes.items()
        }


class SlowTokenizer:
    """A transformers tokenizer without a `tokenizer.json`."""

    def __init__(self, model: Path, max_tokens: int) -> None:
        self._tokenizer = open_tokenizer(model)
        self._max_tokens = max_tokens
        self.names = tuple(self._tokenizer.model_input_names)

    def encode(self, inputs: Sequence[Any], length: int | None = None) -> dict[str, Any]:
        texts, pairs = (inputs, None) if isinstance(inputs[0], str) else zip(*inputs, strict=True)
        encoded = self._tokenizer(
            list(texts),
            list(pairs) if pairs else None,
            truncation=True,
            max_length=length or self._max_tokens,
            padding=True,
            return_tensors="np",
        )
        return {name: encoded[name].astype("int64") for name in self.names}

    def cut(self, inputs: Sequence[Any]) -> list[bool]:
        lengths = [
            len(self._tokenizer(*([text] if isinstance(text, str) else text))["input_ids"])
            for text in inputs
        ]
        return [length > self._max_tokens for length in lengths]
