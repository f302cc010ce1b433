"""Conversion of Marian models whose decoder starts from a learnt embedding of the padding token.

CTranslate2's converter assumes that this embedding is zero, as it is in models trained by Marian,
and drops the token. A model trained in transformers with tied embeddings has learnt it: without
the token, its decoder starts from another state and generates other text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def starts_from_zero(model: Any) -> bool:
    """Return whether the decoder's start embedding is zero, as CTranslate2's loader assumes."""
    start = model.config.decoder_start_token_id
    return not bool(model.get_input_embeddings().weight[start].any())


@contextmanager
def keeping_padding_token() -> Iterator[None]:
    """Have the converter convert Marian models with their padding token inside the context.

    The bias of the token is set to minus infinity, so that it is never generated.
    """
    from ctranslate2.converters import transformers

    class PaddedMarianLoader(transformers.BartLoader):  # type: ignore[misc]  # untyped base
        @property
        def architecture_name(self) -> str:
            return "MarianMTModel"

        def get_model_spec(self, model: Any) -> Any:
            model.config.normalize_before = False
            model.config.normalize_embedding = False
            model.final_logits_bias[0, model.config.pad_token_id] = float("-inf")
            return super().get_model_spec(model)

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
