"""A model folder as a torch module: by the code that it brings, or by transformers.

A model that transformers doesn't know brings `modeling.py`, with `load(folder)` that gives the
module in float32. What it answers has the shape that its task's codec decodes.
"""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from pytest_infperf.artifacts.blueprint import file_digest
from pytest_infperf.errors import BuildError

MODELING = "modeling.py"
_WEIGHTS = "model.safetensors"
_AVAILABILITY_LOCK = Lock()


def import_modeling(folder: Path) -> ModuleType | None:
    """The module of the folder's modeling.py, one and the same wherever a copy of it lies.

    Whoever unpickles a model of it has to import it first.
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
    """The `torch.nn.Module` of a model folder, ready to answer."""
    import torch

    if code := import_modeling(folder):
        return code.load(folder).to(getattr(torch, dtype)).eval()
    if auto_class is None:
        raise BuildError(
            f"{folder} has no {MODELING}: a model of this task needs one, with load(folder) that "
            "gives a torch.nn.Module"
        )
    kind = getattr(import_transformers(), auto_class)
    return kind.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()


def import_transformers() -> ModuleType:
    """Import transformers without scikit-learn, and return it.

    Until its version 5, the module that every model with `generate` pulls in imports
    `sklearn.metrics` for assisted decoding, which nothing in this package uses. That import takes
    0.7 s, a seventh of the start of a worker. transformers is told that scikit-learn is missing
    while that one module is imported; afterwards both are as they were.
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
    """Write a module with its current weights, for `load_torch_module` to open."""
    if import_modeling(model):
        from safetensors.torch import save_file

        copy_code(model, folder)
        tensors = {name: value.contiguous() for name, value in module.state_dict().items()}
        save_file(tensors, folder / _WEIGHTS)
    else:
        module.save_pretrained(folder)


def copy_code(model: Path, folder: Path) -> None:
    """Copy what a module of the model is opened or unpickled with, apart from its weights."""
    for name in (MODELING, "config.json", "generation_config.json"):
        if (model / name).is_file():
            shutil.copy(model / name, folder / name)
