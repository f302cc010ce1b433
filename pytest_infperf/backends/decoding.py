"""Settings that decide which tokens are generated, named as in transformers' GenerationConfig.

The following settings are omitted: the special tokens of a model, such as its end token; settings
that affect only time or memory; and, for a runner that does not sample, settings of sampling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_infperf.suite.task import Decoding

CAUSAL = "AutoModelForCausalLM"
"""The class of transformers that opens models of tasks that continue texts."""
SEED = "seed"
"""The seed of sampling, which is set before each query; not an option of `generate`."""
STOP = "stop_strings"
"""Texts that end an output, as a JSON list."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "bad_words_ids": (None,),
    "begin_suppress_tokens": (None, []),
    "dola_layers": (None,),
    "do_sample": (None, False),
    "encoder_no_repeat_ngram_size": (None, 0),
    "encoder_repetition_penalty": (None, 1.0),
    "exponential_decay_length_penalty": (None,),
    "forced_bos_token_id": (None,),
    "guidance_scale": (None, 1),
    "max_time": (None,),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "no_repeat_ngram_size": (None, 0),
    "penalty_alpha": (None, 0),
    "repetition_penalty": (None, 1.0),
    "sequence_bias": (None,),
    "stop_strings": (None,),
    "suppress_tokens": (None, []),
    "watermarking_config": (None,),
}
"""Values with which a setting has no effect."""
NEUTRAL_TO_BEAMS: Mapping[str, tuple[Any, ...]] = {
    "constraints": (None,),
    "diversity_penalty": (None, 0.0),
    "early_stopping": (None, False),
    "force_words_ids": (None,),
    "length_penalty": (None, 1.0),
    "num_beam_groups": (None, 1),
    "renormalize_logits": (None, False),
}
"""Values with which a setting of beam search has no effect."""


SAMPLING = ("temperature", "top_k", "top_p")
"""Settings that have an effect only with sampling."""


def options(asked: Decoding) -> dict[str, Any]:
    """Return the options of `generate` for the decoding of a task.

    The length counts new tokens only, so the maximum length of a model's configuration is removed.
    """
    names = {"beams": "num_beams"}
    settings = {names.get(name, name): value for name, value in asked.items()}
    settings.pop(SEED, None)
    if STOP in settings:
        settings[STOP] = json.loads(str(settings[STOP]))
    return {"do_sample": False, **settings, "max_length": None}


def described(settings: Mapping[str, Any]) -> Decoding:
    """Return the decoding of settings, which must contain `num_beams` and `max_new_tokens`.

    The decoding contains `beams`, `max_new_tokens`, and every other setting that has an effect.
    """
    beams = settings["num_beams"]
    neutral = {**NEUTRAL, **(NEUTRAL_TO_BEAMS if beams > 1 else {})}
    present = {**settings, "bad_words_ids": bad_words(settings) or None}
    if isinstance(present.get(STOP), list):
        present[STOP] = json.dumps(present[STOP])
    sampling = {name: settings.get(name) for name in (*SAMPLING, SEED)}
    return {
        "beams": beams,
        "max_new_tokens": settings["max_new_tokens"],
        **{
            name: value if isinstance(value, int | float | str) else str(value)
            for name in sorted(neutral)
            if (value := present.get(name)) not in neutral[name]
        },
        **{
            name: value
            for name, value in sampling.items()
            if settings.get("do_sample") and value is not None
        },
    }


def of_module(module: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a module's `generate` uses with these options.

    For a module of transformers, they include its generation_config.
    """
    config = getattr(module, "generation_config", None)
    return {**(config.to_dict() if config else {}), **options}


def bad_words(settings: Mapping[str, Any]) -> list[list[int]]:
    """Return the sequences of tokens that are never generated, except padding and the end.

    `generate` does not suppress the end token, and padding does not change a text.
    """
    end, pad = settings.get("eos_token_id"), settings.get("pad_token_id")
    left_out = [[token] for token in (*(end if isinstance(end, list) else [end]), pad)]
    return [list(w) for w in settings.get("bad_words_ids") or [] if list(w) not in left_out]
