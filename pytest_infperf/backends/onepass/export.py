"""Export of models that answer in one pass to ONNX, in float32.

Optimum exports models of transformers; torch traces models that bring a modeling.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.backends import onnx_export
from pytest_infperf.backends.torch_module import (
    CLASSIFIER,
    import_modeling,
    import_transformers,
    load_torch_module,
)
from pytest_infperf.backends.torch_padding import require_padding_token
from pytest_infperf.errors import BuildError
from pytest_infperf.suite.backend import Material

MODEL = "model.onnx"
_OPTIMUM_TASKS = {CLASSIFIER: "text-classification"}


def export(material: Material, folder: Path) -> None:
    """Write the float32 graph of the model and its configuration to `folder`.

    Raises BuildError if the model has no modeling.py and optimum's export does not cover its task.
    """
    with onnx_export.without_tracer_warnings():
        if import_modeling(material.model):
            _export_by_tracing(material, folder)
        else:
            task = _optimum_task(material)
            config = import_transformers().AutoConfig.from_pretrained(material.model)
            require_padding_token(config, material.model)
            onnx_export.export_with_optimum(material.model, folder, task)
    config = material.model / "config.json"
    if config.is_file():
        (folder / config.name).write_bytes(config.read_bytes())


def _optimum_task(material: Material) -> str:
    task = _OPTIMUM_TASKS.get(material.task.auto_class or "")
    if task is None:
        raise BuildError(
            f"{material.model} has no modeling.py, and the export by optimum covers "
            f"{', '.join(_OPTIMUM_TASKS.values())}, not {type(material.task).__name__}: add a "
            "modeling.py with a function load(folder)"
        )
    return task


def _export_by_tracing(material: Material, folder: Path) -> None:
    import torch

    axes = material.codec().axes
    (features,) = material.features(1)
    onnx_export.export_by_tracing(
        load_torch_module(material.model, material.task.auto_class),
        [torch.from_numpy(features[name]) for name in axes],
        folder / MODEL,
        _dynamic_axes(axes),
        {"answer": {0: "batch"}},
    )


def _dynamic_axes(axes: Mapping[str, Sequence[str | int]]) -> dict[str, dict[int, str]]:
    return {
        name: {index: axis for index, axis in enumerate(input_axes) if isinstance(axis, str)}
        for name, input_axes in axes.items()
    }


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration that was exported beside the graph; empty if there is none."""
    path = folder / "config.json"
    config: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return config
