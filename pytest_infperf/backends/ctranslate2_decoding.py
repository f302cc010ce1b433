"""Settings of transformers' `generate` as options of CTranslate2.

With one beam, each option has the effect of the setting with its name. Beam search stops as with
``early_stopping=True``, and normalises the probabilities again after it suppresses tokens, as with
``renormalize_logits=True``. If the model's settings differ from these, the decoding in the record
differs, and the variant is not compared with variants that follow the model's settings. With a
`length_penalty` of 1, the default stopping rule counts as equal, because the outputs are nearly the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_infperf.backends.decoding import bad_words

_FOLLOWED = (
    "bad_words_ids", "eos_token_id", "forced_bos_token_id", "forced_eos_token_id", "max_new_tokens",
    "min_length", "min_new_tokens", "no_repeat_ngram_size", "num_beams", "pad_token_id",
    "suppress_tokens",
)  # fmt: skip
_FOLLOWED_WITH_ONE_BEAM = ("repetition_penalty",)
_FOLLOWED_WITH_BEAMS = ("length_penalty", "renormalize_logits")


def followed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a model that CTranslate2 follows, with the values that it uses."""
    several = settings["num_beams"] > 1
    names = (*_FOLLOWED, *(_FOLLOWED_WITH_BEAMS if several else _FOLLOWED_WITH_ONE_BEAM))
    kept = {name: settings[name] for name in names if settings.get(name) is not None}
    if several:
        if settings.get("early_stopping") or kept.get("length_penalty", 1) != 1:
            kept["early_stopping"] = True
        if _suppresses(kept):
            kept["renormalize_logits"] = True
    return kept


def options(settings: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    """Return the options of `Translator.translate_batch` for settings that `followed` returned."""
    chosen: dict[str, Any] = {
        "beam_size": settings["num_beams"],
        # Only transformers counts the forced end as a new token.
        "max_decoding_length": settings["max_new_tokens"] - ("forced_eos_token_id" in settings),
        "min_decoding_length": _shortest(settings),
        "max_batch_size": 0,
    }
    for name in ("length_penalty", "no_repeat_ngram_size", "repetition_penalty"):
        if name in settings:
            chosen[name] = settings[name]
    return {**chosen, **suppressed(settings, tokens)}


def suppressed(settings: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, Any]:
    """Return the option with the sequences of tokens that are never generated, if there are any."""
    # A token that the converter left out is never generated.
    words = [word for word in _suppressed(settings) if max(word) < len(tokens)]
    return {"suppress_sequences": [[tokens[i] for i in word] for word in words]} if words else {}


def _shortest(settings: Mapping[str, Any]) -> int:
    """Return the minimum of new tokens before the end; min_length counts the start token."""
    return max(int(settings.get("min_new_tokens", 0)), int(settings.get("min_length", 0)) - 1, 0)


def _suppressed(settings: Mapping[str, Any]) -> list[list[int]]:
    return [*bad_words(settings), *([token] for token in settings.get("suppress_tokens", []))]


def _suppresses(settings: Mapping[str, Any]) -> bool:
    return bool(
        settings.get("no_repeat_ngram_size") or _shortest(settings) or _suppressed(settings)
    )
