"""Models of CTranslate2 that were converted elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pytest_infperf.errors import BuildError, UserError
from pytest_infperf.repository import lfs

_WEIGHTS = "model.bin"
_VOCABULARIES = (
    "shared_vocabulary.json", "shared_vocabulary.txt", "vocabulary.json", "vocabulary.txt",
)  # fmt: skip


def find(name: str, model: Path, suite: Path) -> Path:
    """Return the path of a converted model in the model's folder, or else in the suite's folder.

    Raises UserError if it is in neither folder, or is not a model of CTranslate2.
    """
    found = [path for path in (model / name, suite / name) if path.is_dir()]
    if not found:
        raise UserError(
            f"CTranslate2(folder={name!r}) is neither in the model's folder {model} nor in the "
            f"suite's folder {suite}: correct the name"
        )
    weights = found[0] / _WEIGHTS
    if lfs.is_pointer(weights):
        raise UserError(lfs.fetch_it(weights))
    if not weights.is_file():
        raise UserError(
            f"{found[0]} has no {_WEIGHTS}, so it is not a model of CTranslate2: write one with "
            "`ct2-transformers-converter --model MODEL --output_dir FOLDER`"
        )
    return found[0]


def files(folder: Path) -> list[Path]:
    """Return the files of a converted model, in order."""
    return sorted(path for path in folder.iterdir() if path.is_file())


def copy(folder: Path, artifact: Path) -> None:
    for path in files(folder):
        shutil.copy(path, artifact)


def vocabulary(folder: Path) -> list[str]:
    """Return the tokens of a converted model, in the order of their ids.

    Raises BuildError if inputs and outputs have separate vocabularies.
    """
    for path in (folder / name for name in _VOCABULARIES):
        if path.is_file():
            text = path.read_text("utf-8")
            tokens: list[str] = json.loads(text) if path.suffix == ".json" else text.splitlines()
            return tokens
    raise BuildError(
        f"{folder} has no {_VOCABULARIES[0]}: models with separate vocabularies for inputs and "
        "outputs are not supported. Use Torch() or Onnx()"
    )


def check_vocabulary(folder: Path, model: Path) -> None:
    """Check that a converted model has the tokens of a model's tokenizer, with the same ids.

    The padding token can be missing, because the converter leaves it out for some models. Raises
    BuildError if another token differs.
    """
    from transformers import AutoTokenizer

    opener: Any = AutoTokenizer
    tokenizer = opener.from_pretrained(model)
    tokens = vocabulary(folder)
    for token, number in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
        found = tokens[number] if number < len(tokens) else None
        if found != token and not (found is None and token == tokenizer.pad_token):
            raise BuildError(
                f"{folder} is not a conversion of {model.name}: token {number} is {token!r} in the "
                f"tokenizer and {'missing' if found is None else repr(found)} in the vocabulary "
                "of the folder. Convert this model, or name the one that was converted in model="
            )


def generation_settings(model: Path) -> dict[str, Any]:
    """Return the settings of transformers' `generate`, without reading the model's weights."""
    from transformers import AutoConfig, GenerationConfig

    if (model / "generation_config.json").is_file():
        config = GenerationConfig.from_pretrained(model)
    else:
        config = GenerationConfig.from_model_config(AutoConfig.from_pretrained(model))
    settings: dict[str, Any] = config.to_dict()
    return settings
