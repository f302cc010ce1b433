"""The processor of a speech model: its feature extractor and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError, brief


def open_processor(model: Path, rate: int, tokenizer_class: Any) -> tuple[Any, Any, Any]:
    """Return the feature extractor, the tokenizer and the configuration in a model's folder.

    Parameters
    ----------
    model : Path
        The model's folder.
    rate : int
        The sampling rate of the task, in hertz.
    tokenizer_class : type
        The transformers class of the tokenizer.

    Raises
    ------
    UserError
        If the folder lacks one of them, or the model has a different rate.
    """
    from transformers import AutoConfig, AutoFeatureExtractor

    extractor_class: Any = AutoFeatureExtractor
    try:
        extractor = extractor_class.from_pretrained(str(model))
        tokenizer = tokenizer_class.from_pretrained(str(model))
        config = AutoConfig.from_pretrained(str(model))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{model} has no processor that transformers can read: save the feature extractor "
            f"and the tokenizer with processor.save_pretrained ({brief(error)})"
        ) from error
    if extractor.sampling_rate != rate:
        raise UserError(
            f"the model requires {extractor.sampling_rate} Hz, but the task has {rate} Hz: "
            f"set rate={extractor.sampling_rate}"
        )
    return extractor, tokenizer, config
