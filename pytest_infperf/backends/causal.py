"""What backends of causal language models share: their models and settings of decoding."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.backends import decoding
from pytest_infperf.backends.ctranslate2_folder import generation_settings
from pytest_infperf.backends.torch_module import MODELING
from pytest_infperf.errors import BuildError
from pytest_infperf.suite.backend import Material
from pytest_infperf.suite.task import Decoding

AUTO_CLASS = "AutoModelForCausalLM"
"""Name of the class of transformers that opens these models."""


def require_causal(material: Material, backend: str) -> None:
    """Check that a task generates text with a causal language model of transformers.

    Raises BuildError if it does not.
    """
    if material.task.auto_class != AUTO_CLASS:
        raise BuildError(
            f"{backend} runs causal language models, for tasks such as TextGeneration: use another "
            f"backend for {material.model.name}"
        )
    if (material.model / MODELING).is_file():
        raise BuildError(
            f"{backend} cannot convert {material.model.name}, because its code is in {MODELING}: "
            "use Torch()"
        )


@dataclass(frozen=True)
class Settings:
    """The settings of decoding of a model and a task."""

    decoding: Decoding
    """The settings that have an effect, by which variants are compared."""
    ends: Sequence[int]
    """Ids of the tokens that end an output."""


def merged(model: Path, asked: Decoding) -> dict[str, Any]:
    """Return the settings in a model's generation_config.json, replaced by those of a task."""
    return {
        **generation_settings(model),
        **decoding.options(asked),
        decoding.SEED: asked.get(decoding.SEED),
    }


def settings_of(model: Path, asked: Decoding, followed: Collection[str], runtime: str) -> Settings:
    """Return the settings that `generate` of transformers would use for a model and a task.

    Parameters
    ----------
    model : Path
        The folder of the model.
    asked : mapping
        The decoding of the task.
    followed : collection of str
        The names of the settings that the runtime follows, in addition to the number of beams and
        the maximum length.
    runtime : str
        The name of the runtime, for messages.

    Raises
    ------
    BuildError
        If a setting that has an effect is not followed.
    """
    settings = merged(model, asked)
    effective = decoding.described(settings)
    others = {name: value for name, value in effective.items() if name not in followed}
    others.pop("max_new_tokens")
    if others.pop("beams") != 1:
        raise BuildError(f"{runtime} decodes with one beam here: set beams=1 in the task")
    if others:
        name, value = next(iter(others.items()))
        raise BuildError(
            f"{runtime} does not follow {name} = {value!r}: remove it from the task, or from "
            f"{model / 'generation_config.json'}"
        )
    end = settings.get("eos_token_id")
    ends = end if isinstance(end, list) else [] if end is None else [end]
    return Settings(effective, ends)
