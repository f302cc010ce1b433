"""Export to ONNX in float32: by tracing, or by optimum for what torch cannot trace."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_infperf.errors import UserError

Axes = Mapping[str, Mapping[int, str]]
"""Names of the axes whose size varies between queries, by input or output and by axis number."""

_OPSET = 17


@contextmanager
def without_tracer_warnings() -> Iterator[None]:
    """Ignore warnings: tracing emits one for every Python branch on a shape."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def export_with_optimum(model: Path, folder: Path, task: str) -> None:
    """Write the graphs and files that optimum exports from a model to `folder`.

    `task` is optimum's name of a task, for example "text2text-generation-with-past".

    Raises UserError if optimum-onnx is not installed.
    """
    try:
        from optimum.exporters.onnx import main_export
    except ImportError as error:
        raise UserError(
            f"the ONNX graph of {model.name} is exported by optimum-onnx, which cannot be imported "
            f'({error}): pip install "pytest-infperf[optimum]" (it needs transformers below 4.58), '
            "or choose another backend"
        ) from error

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
    """Write the graph that torch records while the module runs on `tensors`.

    The tensors have the order of `inputs`.
    """
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
