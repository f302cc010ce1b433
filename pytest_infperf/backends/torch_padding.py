"""Padding of prompts with different lengths, for models without an encoder.

Such a model continues a prompt after its last token, so that batches are padded on the left [1]_.
Some models do not ignore this padding, because they count positions from the first token or keep a
state. Building an artifact tests this: if the model does not ignore the padding, the prompts of a
batch are run one by one.

References
----------
.. [1] "Padding side" in https://huggingface.co/docs/transformers/llm_tutorial
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.errors import BuildError

_SETTINGS = "padding.json"
_PROMPT = (3, 1, 2)
_PADDING = 2
_TOLERANCE = 0.1
"""Maximum difference of a logit, in standard deviations of the logits. Rounding in bfloat16 or int8
changes logits less, and a shift of positions changes them more."""


def has_no_encoder(config: Any) -> bool:
    """Return whether the configuration states that a model has no encoder."""
    return getattr(config, "is_encoder_decoder", True) is False


def padding_id(config: Any) -> int:
    """Return the padding token of a model, or a substitute."""
    for name in ("pad_token_id", "eos_token_id"):
        value = getattr(config, name, None)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int):
            return value
    return 0


def choose_padding(model: Any, folder: Path) -> dict[str, Any]:
    """Choose the padding of a model, write it to the artifact, and return the evidence."""
    if not has_no_encoder(model.config):
        return {}
    left = _ignores_left_padding(model)
    (folder / _SETTINGS).write_text(json.dumps({"left": left}))
    if left:
        return {"padding": "left"}
    return {
        "padding": "none: the prompts of a batch run one by one, because padding on the left "
        "changes the results of this model"
    }


def pads_left(artifact: Path) -> bool:
    """Return whether `choose_padding` chose padding on the left."""
    path = artifact / _SETTINGS
    return path.is_file() and json.loads(path.read_text())["left"] is True


def batches(
    prompts: Sequence[Sequence[int]], pad: int, *, left: bool
) -> Iterator[tuple[list[list[int]], list[list[int]]]]:
    """Yield token ids and attention masks: one batch padded on the left, or one for each prompt."""
    if not left:
        for prompt in prompts:
            yield [list(prompt)], [[1] * len(prompt)]
        return
    longest = max(map(len, prompts))
    missing = [longest - len(prompt) for prompt in prompts]
    yield (
        [[pad] * count + list(prompt) for count, prompt in zip(missing, prompts, strict=True)],
        [[0] * count + [1] * len(p) for count, p in zip(missing, prompts, strict=True)],
    )


def _ignores_left_padding(model: Any) -> bool:
    """Return whether the logits after a prompt are the same with padding before it."""
    pad = padding_id(model.config)
    prompt = [token % model.config.vocab_size for token in _PROMPT]
    alone = _next_logits(model, prompt, [1] * len(prompt), pad)
    padded = _next_logits(model, [pad] * _PADDING + prompt, [0] * _PADDING + [1] * len(prompt), pad)
    return bool((alone - padded).abs().max() <= _TOLERANCE * alone.std())


def _next_logits(model: Any, ids: list[int], mask: list[int], pad: int) -> Any:
    import torch

    try:
        with torch.inference_mode():
            answer = model.generate(
                input_ids=torch.tensor([ids], device=model.device),
                attention_mask=torch.tensor([mask], device=model.device),
                do_sample=False,
                max_new_tokens=1,
                max_length=None,
                pad_token_id=pad,
                output_logits=True,
                return_dict_in_generate=True,
            )
    except (TypeError, ValueError) as error:
        raise BuildError(
            f"{type(model).__name__} does not generate as transformers models do: {error}"
        ) from error
    return answer.logits[0].float()


def require_padding_token(config: Any, model: Path) -> None:
    """Check that a classifier has a padding token.

    A model without an encoder classifies a text at its last token, and finds this token in a batch
    by the padding tokens. Models with an encoder have a default padding token.

    Raises BuildError if the model has no padding token.
    """
    if getattr(config, "pad_token_id", 0) is None:
        raise BuildError(
            f"{model / 'config.json'} has no pad_token_id, but a "
            f"{getattr(config, 'model_type', 'model')} needs it to find the last token of each "
            "text of a batch: add the id of the padding token of its tokenizer, such as "
            f'"pad_token_id": {padding_id(config)}'
        )
