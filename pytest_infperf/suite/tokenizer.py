"""The tokenizer of a model's folder, opened with transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError, brief


def open_tokenizer(model: Path) -> Any:
    """Return the transformers tokenizer of a model.

    Raises
    ------
    UserError
        If the folder has none that transformers can read.
    """
    from transformers import AutoTokenizer

    from_pretrained: Any = AutoTokenizer.from_pretrained
    remedy = "save one beside the model with tokenizer.save_pretrained"
    try:
        tokenizer = from_pretrained(str(model))
    except Exception as error:  # raised by the tokenizer's own code
        raise UserError(
            f"{model} has no tokenizer that transformers can read: {remedy} ({brief(error)})"
        ) from error
    # Transformers 5 returns an empty tokenizer for a folder without tokenizer files.
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise UserError(f"{model} has no tokenizer that transformers can read: {remedy}")
    return tokenizer
