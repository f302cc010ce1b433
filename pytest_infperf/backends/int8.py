"""Why int8 may be no faster than float32 on this host, or for this graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_infperf.host.cpu import has_int8_dot_products, instruction_sets

_RECURRENT = (
    "its LSTMs are quantised dynamically: each of their many steps multiplies by a small matrix, "
    "and quantising its input anew takes longer than the multiplication saves"
)


def doubts_of_modules(evidence: Mapping[str, Any]) -> list[str]:
    """What a torch module in int8 shows: by its layers (`evidence.quantized_modules`)."""
    return [_RECURRENT] if "LSTM" in evidence.get("quantized_modules", {}) else []


def doubts() -> list[str]:
    if has_int8_dot_products(instruction_sets()):
        return []
    return ["this CPU has no int8 dot products (VNNI, AMX, i8mm): int8 may be slower than float32"]


def doubts_of_graph(evidence: Mapping[str, Any], *, fused: bool) -> list[str]:
    """What an ONNX graph in int8 shows: by its operators (`evidence.quantization.operators`)."""
    operators = evidence.get("quantization", {}).get("operators", {})
    found = [] if fused else ["its graph is not fused: fused=True"]
    if operators.get("DynamicQuantizeLSTM"):
        found.append(_RECURRENT)
    if operators.get("ConvInteger"):
        found.append(
            "its convolutions are quantised dynamically (ConvInteger), for which ONNX Runtime has "
            'no fast kernel on CPUs: int8="static" quantises them with calibration'
        )
    return found
