"""Models to ONNX in fp32: by optimum what transformers knows, by torch's tracing all else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Axes = Mapping[str, Mapping[int, str]]
"""By name of an input or output its axes that differ from query to query, with a name each."""

_OPSET = 17


@contextmanager
def without_tracer_warnings() -> Iterator[None]:
    """Tracing warns of every Python branch on a shape, of which some models have many."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def export_with_optimum(model: Path, folder: Path, task: str) -> None:
    """Write optimum's graphs of a model, and what lies beside them, to `folder`."""
    from optimum.exporters.onnx import main_export

    main_export(
        str(model),
        output=folder,
        task=task,
        dtype="fp32",
        no_post_process=True,
        do_validation=False,
    )


def export_by_tracing(
    module: Any, tensors: Sequence[Any], path: Path, inputs: Axes, outputs: Axes
) -> None:
    """Write the graph that torch records while the module answers `tensors`, one an input."""
    import torch

    torch.onnx.export(
        module,
        tuple(tensors),
        str(path),
        dynamo=False,  # the newer exporter unrolls recurrent layers
        input_names=list(inputs),
        output_names=list(outputs),
        dynamic_axes={**inputs, **outputs},
        opset_version=_OPSET,
    )
