"""Codec for Marian models, with their SentencePiece models and vocabulary."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError

_LANGUAGE_CODE = re.compile(r">>.+?<<")


class MarianCodec:
    """Codec equivalent to MarianTokenizer of transformers, without its Python code for each piece.

    Features are one list of token ids per sentence, ending in </s>; results are token ids too.
    Tests compare it with MarianTokenizer. `prefix` is prepended to each input. Raises UserError
    if the model folder lacks a file.
    """

    def __init__(self, model: Path, prefix: str = "") -> None:
        from sentencepiece import SentencePieceProcessor

        needed = ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json")
        if missing := [name for name in needed if not (model / name).is_file()]:
            raise UserError(
                f"{model} has no {', '.join(missing)}: a Marian model needs it, see "
                "Helsinki-NLP/opus-mt-zh-en for an example"
            )
        self._prefix = prefix
        settings = json.loads((model / "tokenizer_config.json").read_text("utf-8"))
        self._source = SentencePieceProcessor(model_file=str(model / "source.spm"))
        self._target = SentencePieceProcessor(model_file=str(model / "target.spm"))
        self._ids: dict[str, int] = json.loads((model / "vocab.json").read_text("utf-8"))
        shared = not settings.get("separate_vocabs", False)
        target_ids = (
            self._ids if shared else json.loads((model / "target_vocab.json").read_text("utf-8"))
        )
        special = [settings.get(key, default) for key, default in _SPECIAL_TOKENS.items()]
        self._pieces = {i: piece for piece, i in target_ids.items() if piece not in special}
        self._unknown = self._ids[special[0]]
        self._end = self._ids[special[1]]
        self._longest = int(settings.get("model_max_length") or 512)

    def encode(self, inputs: Sequence[str], length: int | None = None) -> list[list[int]]:
        longest = self._longest if length is None else min(length, self._longest)
        return [self._encode(self._prefix + text, longest) for text in inputs]

    def cut(self, inputs: Sequence[str]) -> list[bool]:
        """Return whether each input is truncated."""
        return [len(self._split(self._prefix + text)) >= self._longest for text in inputs]

    def _encode(self, text: str, longest: int) -> list[int]:
        ids, unknown = self._ids, self._unknown
        pieces = self._split(text)[: longest - 1]
        return [*[ids.get(piece, unknown) for piece in pieces], self._end]

    def _split(self, text: str) -> list[str]:
        code = _LANGUAGE_CODE.match(text)
        pieces: list[str] = self._source.encode(text[code.end() :] if code else text, out_type=str)
        return [code.group(), *pieces] if code else pieces

    def decode(self, results: Sequence[Sequence[int]], features: Any) -> list[Any]:
        pieces = self._pieces
        return [
            self._target.decode_pieces([pieces[i] for i in ids if i in pieces])
            .replace("▁", " ")
            .strip()
            for ids in results
        ]

    def token_counts(
        self, results: Sequence[Sequence[int]], features: Sequence[Sequence[int]]
    ) -> tuple[int, int]:
        """Return the number of tokens of the inputs and of the outputs, with their end tokens."""
        pieces = self._pieces
        output = sum(sum(i in pieces for i in ids) + 1 for ids in results)
        return sum(map(len, features)), output


_SPECIAL_TOKENS = {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"}
