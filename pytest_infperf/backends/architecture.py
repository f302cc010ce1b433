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
from types import ModuleType
from typing import Any

from pytest_infperf.artifacts.blueprint import file_digest
from pytest_infperf.errors import BuildError

MODELING = "modeling.py"
_WEIGHTS = "model.safetensors"


def own_code(folder: Path) -> ModuleType | None:
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


def open_module(folder: Path, auto_class: str | None, dtype: str = "float32") -> Any:
    """The `torch.nn.Module` of a model folder, ready to answer."""
    import torch

    if code := own_code(folder):
        return code.load(folder).to(getattr(torch, dtype)).eval()
    if auto_class is None:
        raise BuildError(
            f"{folder} has no {MODELING}: a model of this task needs one, with load(folder) that "
            "gives a torch.nn.Module"
        )
    kind = getattr(transformers(), auto_class)
    return kind.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()


def transformers() -> ModuleType:
    """The library, which needs scikit-learn for a speculative decoding that nothing here asks for.

    It imports what is installed, and that would be a seventh of the time that a worker starts in.
    """
    hides = "sklearn" not in sys.modules
    if hides:
        sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        return import_module("transformers")
    finally:
        if hides:
            del sys.modules["sklearn"]


def save_module(module: Any, model: Path, folder: Path) -> None:
    """Write an opened module with its weights as they are now; `open_module` opens the folder."""
    if own_code(model):
        from safetensors.torch import save_file

        keep_code(model, folder)
        tensors = {name: value.contiguous() for name, value in module.state_dict().items()}
        save_file(tensors, folder / _WEIGHTS)
    else:
        module.save_pretrained(folder)


def keep_code(model: Path, folder: Path) -> None:
    """Copy what a module of the model is opened or unpickled with, apart from its weights."""
    for name in (MODELING, "config.json", "generation_config.json"):
        if (model / name).is_file():
            shutil.copy(model / name, folder / name)
