"""Loading and saving of model folders as torch modules.

A model that transformers does not implement has a `modeling.py` with a function `load(folder)` that
returns the `torch.nn.Module` in float32. The output of the module must have the shape that the
codec of the task decodes.
"""

from __future__ import annotations

import inspect
import shutil
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from pytest_infperf.artifacts.blueprint import file_digest
from pytest_infperf.backends.torch_padding import require_padding_token
from pytest_infperf.errors import BuildError, brief

MODELING = "modeling.py"
CLASSIFIER = "AutoModelForSequenceClassification"
_WEIGHTS = "model.safetensors"
_AVAILABILITY_LOCK = Lock()


def import_modeling(folder: Path) -> ModuleType | None:
    """Import the folder's modeling.py and return it; None if the folder has none.

    Equal files are imported once, under a name that depends only on their content. Call this
    function before a model of the folder is unpickled.
    """
    path = folder / MODELING
    if not path.is_file():
        return None
    name = f"infperf_modeling_{file_digest(path)[:16]}"
    if name not in sys.modules:
        spec = spec_from_file_location(name, path)
        assert spec
        assert spec.loader
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def load_torch_module(folder: Path, auto_class: str | None, dtype: str = "float32") -> Any:
    """Return the `torch.nn.Module` of a model folder in evaluation mode.

    `auto_class` names the class of transformers that opens a folder without a modeling.py. Raises
    BuildError if the folder has no modeling.py and `auto_class` is None, if a classifier has no
    padding token and needs one, or if transformers cannot read the weights.
    """
    import torch

    if code := import_modeling(folder):
        return code.load(folder).to(getattr(torch, dtype)).eval()
    if auto_class is None:
        raise BuildError(
            f"{folder} has no {MODELING}: a model of this task needs one with a function "
            "load(folder) that returns a torch.nn.Module"
        )
    library = import_transformers()
    if auto_class == CLASSIFIER:
        require_padding_token(library.AutoConfig.from_pretrained(folder), folder)
    model_class = getattr(library, auto_class)
    try:
        return model_class.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    except OSError as error:
        raise unreadable_weights(folder, error) from error


def unreadable_weights(folder: Path, error: OSError) -> BuildError:
    """Return the error for a model folder if transformers cannot read its weights."""
    return BuildError(
        f"transformers cannot read the weights in {folder}: {brief(error)} Save the model there "
        "with save_pretrained"
    )


def input_names(module: Any) -> frozenset[str]:
    """Return the names of the inputs of a module, which may be a TorchScript module."""
    if schema := getattr(module.forward, "schema", None):
        return frozenset(argument.name for argument in schema.arguments)
    return frozenset(inspect.signature(module.forward).parameters)


def import_transformers() -> ModuleType:
    """Import transformers without scikit-learn, and return it.

    Before version 5, nearly every model imports `generation.candidate_generator`. This module
    imports `sklearn.metrics` for assisted decoding, which this package does not use. The import of
    scikit-learn takes 0.7 s, a seventh of the start of a worker. To avoid it,
    `is_sklearn_available` of transformers returns False while the module is imported.
    """
    library = import_module("transformers")
    if int(library.__version__.partition(".")[0]) < 5:
        utils: Any = import_module("transformers.utils")
        with _AVAILABILITY_LOCK:
            is_available = utils.is_sklearn_available
            utils.is_sklearn_available = lambda: False
            try:
                import_module("transformers.generation.candidate_generator")
            finally:
                utils.is_sklearn_available = is_available
    return library


def save_torch_module(module: Any, model: Path, folder: Path) -> None:
    """Write the module of `model` with its current weights to `folder`, as a model folder."""
    if import_modeling(model):
        from safetensors.torch import save_file

        copy_code(model, folder)
        tensors = {name: value.contiguous() for name, value in module.state_dict().items()}
        save_file(tensors, folder / _WEIGHTS)
    else:
        module.save_pretrained(folder)


def copy_code(model: Path, folder: Path) -> None:
    """Copy the modeling.py and the configuration files of a model."""
    for name in (MODELING, "config.json", "generation_config.json"):
        if (model / name).is_file():
            shutil.copy(model / name, folder / name)
