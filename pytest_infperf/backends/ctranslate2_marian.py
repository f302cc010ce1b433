"""Conversion of Marian models whose decoder starts from a learnt embedding of the padding token.

CTranslate2's converter assumes that this embedding is zero, as it is in models trained by Marian,
and drops the token. A model trained in transformers with tied embeddings has learnt it: without
the token, its decoder starts from another state and generates other text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

MOVED = "moved_to_front"
"""Name of the setting with the tokenizer's id of the first token of the converted model."""


def starts_from_zero(model: Any) -> bool:
    """Return whether the decoder's start embedding is zero, as CTranslate2's loader assumes."""
    start = model.config.decoder_start_token_id
    return not bool(model.get_input_embeddings().weight[start].any())


@contextmanager
def keeping_padding_token(*, first: bool) -> Iterator[None]:
    """Make the converter keep the padding token of Marian models inside the context.

    The bias of the token is set to minus infinity, so that it is never generated. With `first`, the
    token is moved to the front of the vocabulary, where vocabulary maps need it.
    """
    from ctranslate2.converters import transformers

    class PaddedMarianLoader(transformers.BartLoader):  # type: ignore[misc]  # untyped base
        @property
        def architecture_name(self) -> str:
            return "MarianMTModel"

        def get_model_spec(self, model: Any) -> Any:
            model.config.normalize_before = False
            model.config.normalize_embedding = False
            padding = model.config.pad_token_id
            model.final_logits_bias[0, padding] = float("-inf")
            if first:
                layers = (model.get_input_embeddings(), model.get_output_embeddings())
                tables = {id(layer.weight): layer.weight.data for layer in layers}
                for table in (*tables.values(), model.final_logits_bias.T):
                    rows = [padding, *(i for i in range(len(table)) if i != padding)]
                    table.copy_(table[rows])
            return super().get_model_spec(model)

        def get_vocabulary(self, model: Any, tokenizer: Any) -> list[str]:
            tokens: list[str] = super().get_vocabulary(model, tokenizer)
            if first:
                tokens.insert(0, tokens.pop(model.config.pad_token_id))
            return tokens

        def set_config(self, config: Any, model: Any, tokenizer: Any) -> None:
            config.eos_token = tokenizer.eos_token
            config.unk_token = tokenizer.unk_token
            config.decoder_start_token = tokenizer.pad_token

    loaders = transformers._MODEL_LOADERS
    usual = loaders["MarianConfig"]
    loaders["MarianConfig"] = PaddedMarianLoader()
    try:
        yield
    finally:
        loaders["MarianConfig"] = usual


def in_order_of_ids(tokens: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """Return the tokens of a converted model in the order of their ids in the tokenizer."""
    moved, *others = tokens
    others.insert(settings.get(MOVED, 0), moved)
    return others
