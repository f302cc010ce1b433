"""Export of one-pass models to ONNX, in float32.

Torch traces the models; optimum exports classifiers that torch cannot trace.
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
    input_names,
    load_torch_module,
)
from pytest_infperf.errors import BuildError, first_line
from pytest_infperf.suite.backend import Material

MODEL = "model.onnx"


def export(material: Material, folder: Path) -> None:
    """Write the float32 graph of the model and its configuration to `folder`.

    Raises BuildError if the model has no modeling.py and its task has no Auto class, if the model
    cannot be traced, or if the results of the graph differ from those of the model.
    """
    import torch

    module = load_torch_module(material.model, material.task.auto_class)
    _choose_attention(module)
    codec = material.codec()
    inputs = material.task.samples(material.data).inputs
    accepted = input_names(module)
    # A batch size of 1 would become a constant of the graph.
    queries = [codec.encode(query) for query in ([inputs[0], inputs[-1]], inputs[:1], inputs[-1:])]
    axes = {name: axes for name, axes in codec.axes.items() if name in accepted}
    if not axes:
        raise BuildError(
            f"the forward of {material.model} has the parameters {', '.join(sorted(accepted))}, "
            f"but the task has the features {', '.join(codec.axes)}: use the same names"
        )
    answering = _answering(module, list(axes), material.task.answer)
    traced, *others = [{name: features[name] for name in axes} for features in queries]
    with onnx_export.without_tracer_warnings():
        try:
            onnx_export.export_by_tracing(
                answering,
                [torch.from_numpy(array) for array in traced.values()],
                folder / MODEL,
                _dynamic_axes(axes),
                {material.task.answer: {0: "batch"}},
            )
        except Exception as error:  # any error of the model's code or of the exporter
            if material.task.auto_class != CLASSIFIER or import_modeling(material.model):
                raise BuildError(
                    f"torch cannot trace {material.model.name}: {first_line(error)}. Export it "
                    "yourself and name the graph with file=..."
                ) from error
            # Tracing cannot follow the causal masks of transformers 4, which optimum replaces.
            onnx_export.export_with_optimum(material.model, folder, "text-classification")
    onnx_export.require_equal_answers(
        answering,
        folder / MODEL,
        others,
        material.model,
        "export it yourself and name the graph with file=...",
    )
    config = material.model / "config.json"
    if config.is_file():
        (folder / config.name).write_bytes(config.read_bytes())


def _choose_attention(module: Any) -> None:
    """Choose the attention whose graph ONNX Runtime's transformer optimiser recognises.

    For encoders of the BERT family, the optimiser recognises the mask of the default implementation
    (sdpa) of transformers 4, and that of `eager` of transformers 5.
    """
    choose = getattr(module, "set_attn_implementation", None)
    if choose and int(import_transformers().__version__.partition(".")[0]) >= 5:
        choose("eager")


def _answering(module: Any, names: Sequence[str], output: str) -> Any:
    """Return a module that takes its inputs in the order of `names`, and returns one tensor.

    For a model of transformers, the tensor is the output with the name `output`.
    """
    import torch

    class Answering(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *tensors: Any) -> Any:
            answer = self.model(**dict(zip(names, tensors, strict=True)))
            return getattr(answer, output, answer)

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
