"""Settings of decoding, read from a model's configuration.

A setting that transformers' `generate` supports and a composed graph does not raises an error,
because a variant that decodes differently cannot be compared with its baseline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytest_infperf.backends.decoding import NEUTRAL, NEUTRAL_TO_BEAMS, described
from pytest_infperf.errors import BuildError
from pytest_infperf.suite.task import Decoding

_IMPLEMENTED = {
    "bad_words_ids", "early_stopping", "forced_bos_token_id", "length_penalty", "suppress_tokens",
}  # fmt: skip


@dataclass(frozen=True)
class Generation:
    """Settings that determine the generated tokens, in addition to the logits."""

    start_id: int
    eos_id: int
    pad_id: int
    suppressed: tuple[int, ...]
    forced_eos_id: int | None
    max_new_tokens: int
    vocabulary: int
    beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    first_id: int | None = None
    """Token that every output begins with, such as its language; None if it can be any token."""
    decoding: Decoding = field(default_factory=dict)
    """The settings by which variants are compared."""

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise BuildError(f"beams is {self.beams}: set at least 1, which decodes greedily")
        choices = self.vocabulary - len(self.suppressed)
        if 2 * self.beams > choices:
            raise BuildError(
                f"beams is {self.beams}: the search needs {2 * self.beams} tokens to choose from,"
                f" and the vocabulary has {choices}; lower beams"
            )
        if self.max_new_tokens < 2:
            raise BuildError(f"max_new_tokens is {self.max_new_tokens}: set at least 2")

    def mask(self) -> list[float]:
        """Return the values that suppress tokens when they are added to the scores."""
        return [float("-inf") if i in self.suppressed else 0.0 for i in range(self.vocabulary)]

    @classmethod
    def from_config(
        cls, model: Path, decoding: Decoding, first_id: int | None = None
    ) -> Generation:
        """Read the settings that `generate` reads from the folder of a model.

        `first_id` replaces its forced_bos_token_id.

        Raises BuildError if a setting is missing, is invalid, or is not implemented by the graph.
        """
        if unknown := decoding.keys() - {"beams", "max_new_tokens"}:
            raise BuildError(
                f"the ONNX graph supports the decoding settings beams and max_new_tokens, not"
                f" {', '.join(sorted(unknown))}: remove it from the task's decoding"
            )
        beams, max_new_tokens = int(decoding["beams"]), int(decoding["max_new_tokens"])
        settings = _generation_settings(model)
        config = json.loads((model / "config.json").read_text())
        positions = config.get("max_position_embeddings")
        if positions is not None and max_new_tokens > positions:
            raise BuildError(
                f"{model}: max_new_tokens is {max_new_tokens}, and the model has {positions}"
                " positions; lower max_new_tokens"
            )
        neutral_values = {**NEUTRAL, **(NEUTRAL_TO_BEAMS if beams > 1 else {})}
        for name, neutral in neutral_values.items():
            if name not in _IMPLEMENTED and settings.get(name) not in neutral:
                raise BuildError(
                    f"{model}: the ONNX graph does not support {name} = {settings[name]!r}:"
                    " remove it from generation_config.json"
                )
        eos_id = _single(settings, "eos_token_id", model)
        if first_id is None:
            first_id = _optional(settings, "forced_bos_token_id", model)
        early_stopping = settings.get("early_stopping") or False
        if early_stopping not in (True, False, "never"):
            raise BuildError(
                f"{model}: early_stopping is {early_stopping!r}: set true, false or"
                ' "never" in generation_config.json'
            )
        length_penalty = settings.get("length_penalty")
        return cls(
            beams=beams,
            max_new_tokens=max_new_tokens,
            start_id=_single(settings, "decoder_start_token_id", model),
            eos_id=eos_id,
            pad_id=_single(settings, "pad_token_id", model),
            suppressed=_suppressed(settings, eos_id, model),
            forced_eos_id=_optional(settings, "forced_eos_token_id", model),
            vocabulary=config.get("decoder_vocab_size") or config["vocab_size"],
            length_penalty=1.0 if length_penalty is None else float(length_penalty),
            early_stopping=early_stopping,
            first_id=first_id,
            decoding=described(
                {
                    **settings,
                    "num_beams": beams,
                    "max_new_tokens": max_new_tokens,
                    "forced_bos_token_id": first_id,
                }
            ),
        )


def _generation_settings(model: Path) -> dict[str, Any]:
    for name in ("generation_config.json", "config.json"):
        if (model / name).is_file():
            settings: dict[str, Any] = json.loads((model / name).read_text())
            return settings
    raise BuildError(f"{model} has neither generation_config.json nor config.json")


def _optional(settings: Mapping[str, Any], name: str, model: Path) -> int | None:
    return None if settings.get(name) is None else _single(settings, name, model)


def _single(settings: Mapping[str, Any], name: str, model: Path) -> int:
    value = settings.get(name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int):
        raise BuildError(
            f"{model}: {name} is {value!r}, and the ONNX graph needs one token id:"
            " set it in generation_config.json"
        )
    return value


def _suppressed(settings: Mapping[str, Any], eos_id: int, model: Path) -> tuple[int, ...]:
    words = [word for word in settings.get("bad_words_ids") or [] if word != [eos_id]]
    if any(len(word) != 1 for word in words):
        raise BuildError(
            f"{model}: bad_words_ids has a word of several tokens, and the ONNX graph suppresses"
            " single tokens only: remove it from generation_config.json"
        )
    tokens = {word[0] for word in words} | set(settings.get("suppress_tokens") or [])
    return tuple(sorted(tokens))
