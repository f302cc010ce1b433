"""Export of models that answer in one pass to ONNX, in float32, by tracing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_infperf.backends import onnx_export
from pytest_infperf.backends.torch_module import input_names, load_torch_module
from pytest_infperf.suite.backend import Material

MODEL = "model.onnx"


def export(material: Material, folder: Path) -> None:
    """Write the float32 graph of the model and its configuration to `folder`.

    Raises BuildError if the model has no modeling.py and its task has no Auto class.
    """
    import torch

    module = load_torch_module(material.model, material.task.auto_class)
    codec = material.codec()
    inputs = material.task.samples(material.data).inputs
    features = codec.encode([inputs[0], inputs[-1]])  # a batch of one becomes a constant
    accepted = input_names(module)
    axes = {name: axes for name, axes in codec.axes.items() if name in accepted}
    with onnx_export.without_tracer_warnings():
        onnx_export.export_by_tracing(
            _answering(module, list(axes)),
            [torch.from_numpy(features[name]) for name in axes],
            folder / MODEL,
            _dynamic_axes(axes),
            {"logits": {0: "batch"}},
        )
    config = material.model / "config.json"
    if config.is_file():
        (folder / config.name).write_bytes(config.read_bytes())


def _answering(module: Any, names: Sequence[str]) -> Any:
    """Return a module that takes its inputs in the order of `names`, and returns one tensor."""
    import torch

    class Answering(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *tensors: Any) -> Any:
            answer = self.model(**dict(zip(names, tensors, strict=True)))
            return getattr(answer, "logits", answer)

    return Answering().eval()


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
