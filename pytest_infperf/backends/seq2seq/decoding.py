"""Reads what greedy decoding has to obey from a model's configuration.

Settings that `generate` follows and a composed graph does not are refused by name, because a
variant that decodes differently from its baseline cannot be compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.errors import BuildError

_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "begin_suppress_tokens": (None,),
    "encoder_no_repeat_ngram_size": (None, 0),
    "encoder_repetition_penalty": (None, 1.0),
    "exponential_decay_length_penalty": (None,),
    "forced_bos_token_id": (None,),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "no_repeat_ngram_size": (None, 0),
    "repetition_penalty": (None, 1.0),
    "sequence_bias": (None,),
}


@dataclass(frozen=True)
class GreedyDecoding:
    """What decides which tokens greedy decoding picks, apart from the logits."""

    start_id: int
    eos_id: int
    pad_id: int
    suppressed: tuple[int, ...]
    forced_eos_id: int | None
    max_new_tokens: int

    def __post_init__(self) -> None:
        if self.max_new_tokens < 2:
            raise BuildError(f"max_new_tokens is {self.max_new_tokens}: give at least 2")

    @classmethod
    def from_config(cls, model: Path, max_new_tokens: int) -> GreedyDecoding:
        """Read what `generate` would read; refuse settings that the graph would not follow."""
        settings = _generation_settings(model)
        positions = json.loads((model / "config.json").read_text()).get("max_position_embeddings")
        if positions is not None and max_new_tokens > positions:
            raise BuildError(
                f"{model}: max_new_tokens is {max_new_tokens} and the model has {positions}"
                " positions; lower max_new_tokens"
            )
        for name, neutral in _NEUTRAL.items():
            if settings.get(name) not in neutral:
                raise BuildError(
                    f"{model}: greedy decoding in the graph does not know {name}"
                    f" = {settings[name]!r}; remove it from generation_config.json"
                )
        eos_id = _single(settings, "eos_token_id", model)
        return cls(
            start_id=_single(settings, "decoder_start_token_id", model),
            eos_id=eos_id,
            pad_id=_single(settings, "pad_token_id", model),
            suppressed=_suppressed(settings, eos_id, model),
            forced_eos_id=settings.get("forced_eos_token_id"),
            max_new_tokens=max_new_tokens,
        )


def _generation_settings(model: Path) -> dict[str, Any]:
    for name in ("generation_config.json", "config.json"):
        if (model / name).is_file():
            settings: dict[str, Any] = json.loads((model / name).read_text())
            return settings
    raise BuildError(f"{model}: neither generation_config.json nor config.json is there")


def _single(settings: Mapping[str, Any], name: str, model: Path) -> int:
    value = settings.get(name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int):
        raise BuildError(
            f"{model}: {name} is {value!r}; greedy decoding in the graph needs one"
            " token id there, in generation_config.json"
        )
    return value


def _suppressed(settings: Mapping[str, Any], eos_id: int, model: Path) -> tuple[int, ...]:
    words = [word for word in settings.get("bad_words_ids") or [] if word != [eos_id]]
    if any(len(word) != 1 for word in words):
        raise BuildError(
            f"{model}: bad_words_ids holds a word of several tokens; greedy decoding in the"
            " graph suppresses single tokens only: remove it from generation_config.json"
        )
    tokens = {word[0] for word in words} | set(settings.get("suppress_tokens") or [])
    return tuple(sorted(tokens))
