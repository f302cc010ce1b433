"""Exports a model that answers in one pass to ONNX, in fp32.

Optimum exports what transformers knows; a model with code of its own is traced by torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.backends import exporting
from pytest_infperf.backends.architecture import open_module, own_code
from pytest_infperf.errors import BuildError
from pytest_infperf.suite.backend import Material

MODEL = "model.onnx"
_OPTIMUM_TASKS = {"AutoModelForSequenceClassification": "text-classification"}


def export(material: Material, folder: Path) -> None:
    """Write the fp32 graph of the model, and its configuration, to `folder`."""
    with exporting.branches_unheard():
        if own_code(material.model):
            _trace(material, folder)
        else:
            exporting.with_optimum(material.model, folder, _optimum_task(material))
    config = material.model / "config.json"
    if config.is_file():
        (folder / config.name).write_bytes(config.read_bytes())


def _optimum_task(material: Material) -> str:
    task = _OPTIMUM_TASKS.get(material.task.auto_class or "")
    if task is None:
        raise BuildError(
            f"{material.model} has no modeling.py, and optimum is not asked to export "
            f"{type(material.task).__name__}: there are {', '.join(_OPTIMUM_TASKS.values())}"
        )
    return task


def _trace(material: Material, folder: Path) -> None:
    import torch

    axes = material.codec().axes
    (features,) = material.features(1)
    exporting.trace(
        open_module(material.model, material.task.auto_class),
        [torch.from_numpy(features[name]) for name in axes],
        folder / MODEL,
        _dynamic(axes),
        {"answer": {0: "batch"}},
    )


def _dynamic(axes: Mapping[str, Sequence[str | int]]) -> dict[str, dict[int, str]]:
    return {
        name: {place: axis for place, axis in enumerate(its) if isinstance(axis, str)}
        for name, its in axes.items()
    }


def config_of(folder: Path) -> dict[str, Any]:
    """The configuration that was exported beside the graph; empty where there is none."""
    path = folder / "config.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found
