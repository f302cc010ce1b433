"""Export to ONNX in float32: by tracing, or by optimum for models that torch cannot trace."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_infperf.errors import BuildError, UserError, first_line

Axes = Mapping[str, Mapping[int, str]]
"""Names of the axes with variable size, by the name of the input or output and by axis number."""

_OPSET = 17
_TOLERANCE = 1e-3
"""Tolerance, relative to each value and to the largest value; far above rounding errors."""


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


def require_equal_answers(
    module: Any, graph: Path, queries: Sequence[Mapping[str, Any]], model: Path, remedy: str
) -> None:
    """Check that a traced graph returns the results of its module.

    Tracing does not follow branches on values, and can make a size constant. A query contains
    arrays by the names of the inputs, in the order of the module's arguments.

    Raises BuildError, with `remedy` at the end of its message, if a result differs.
    """
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    for query in queries:
        with torch.inference_mode():
            expected = module(*map(torch.from_numpy, query.values()))
        if isinstance(expected, torch.Tensor):
            expected = [expected]
        try:
            answers = session.run(None, {name: query[name] for name in names})
        except Exception as error:  # the runtime has a class for each of its errors
            raise BuildError(_differs(model, first_line(error), remedy)) from error
        if not all(map(_is_close, answers, (tensor.numpy() for tensor in expected))):
            raise BuildError(_differs(model, "the values differ", remedy))


def _is_close(answer: Any, expected: Any) -> bool:
    import numpy as np

    if answer.shape != expected.shape:
        return False
    largest = np.abs(expected).max(initial=0)
    return not np.isfinite(largest) or np.allclose(
        answer, expected, rtol=_TOLERANCE, atol=_TOLERANCE * largest
    )


def _differs(model: Path, reason: str, remedy: str) -> str:
    return (
        f"the traced graph of {model.name} returns other results than the model, because the code "
        f"depends on the values or sizes of its input ({reason}): remove such branches, or "
        f"{remedy}"
    )
