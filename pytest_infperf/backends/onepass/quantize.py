"""Quantisation of a graph to int8: dynamic, or static with calibrated activations (QDQ).

The choices follow "Quantize ONNX Models" in ONNX Runtime's documentation: dynamic for transformers
and recurrent networks, static for convolutions, `reduce_range` on x86 without VNNI, and
`DefaultTensorType` for graphs with operators that shape inference does not support, such as fused
operators (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_infperf.backends import onnx_file
from pytest_infperf.backends.binding import Binding
from pytest_infperf.backends.onepass.export import MODEL
from pytest_infperf.backends.quantization import needs_reduced_range, without_preprocessing_advice
from pytest_infperf.suite.backend import Material


def quantize_dynamically(folder: Path) -> dict[str, Any]:
    """Quantise the graph in place; return the settings and the count of each int8 operator."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path, reduced = folder / MODEL, needs_reduced_range()
    with without_preprocessing_advice():
        quantize_dynamic(
            path,
            path,
            weight_type=QuantType.QInt8,
            reduce_range=reduced,
            use_external_data_format=bool(onnx_file.data_files(path)),
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    return {"method": "dynamic", "weights": "int8", "reduce_range": reduced, **_operators(path)}


def quantize_statically(material: Material, folder: Path) -> dict[str, Any]:
    """Quantise the graph in place, with activation ranges that are observed on samples.

    Also returns the number of calibration queries. The samples' references are not used.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    path, reduced = folder / MODEL, needs_reduced_range()
    queries = material.features()
    prepared = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    with without_preprocessing_advice():
        quantize_static(
            prepared,
            path,
            _Calibration(queries, _binding(prepared)),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=reduced,
        )
    prepared.unlink()
    return {
        "method": "static",
        "weights": "int8",
        "scales": "channel",
        "reduce_range": reduced,
        "calibration_queries": len(queries),
        **_operators(path),
    }


class _Calibration:
    """Calibration data with the interface of onnxruntime's CalibrationDataReader."""

    def __init__(self, queries: Sequence[Any], binding: Binding) -> None:
        self._queries = chain.from_iterable(map(binding.feeds, queries))

    def get_next(self) -> dict[str, Any] | None:
        return next(self._queries, None)


def int8_operators(folder: Path) -> dict[str, int]:
    """Return the count of each int8 operator of the graph in the folder."""
    import onnx

    counts = Counter(node.op_type for node in onnx.load(folder / MODEL).graph.node)
    return {name: count for name, count in counts.items() if _is_int8(name)}


def _binding(path: Path) -> Binding:
    import onnx

    graph = onnx.load(path).graph
    inputs, outputs = ([value.name for value in values] for values in (graph.input, graph.output))
    return Binding.read(path.parent, inputs, outputs)


def _operators(path: Path) -> dict[str, Any]:
    return {"operators": int8_operators(path.parent)}


def _is_int8(operator: str) -> bool:
    return (
        operator.startswith(("Dynamic", "QLinear", "QAttention"))
        or "Integer" in operator
        or operator in ("QuantizeLinear", "DequantizeLinear")
    )
