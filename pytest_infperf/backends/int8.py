"""Why int8 may be no faster than float32 on this host, or for this graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_infperf.host.cpu import instruction_sets

_DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8", "i8mm", "asimddp"}


_RECURRENT = (
    "its LSTMs are quantised dynamically: each of their many steps multiplies by a small matrix, "
    "and quantising its input anew takes longer than the multiplication saves"
)


def module_doubts(evidence: Mapping[str, Any]) -> list[str]:
    """What a torch module in int8 shows: by its layers (`evidence.quantized_modules`)."""
    return [_RECURRENT] if "LSTM" in evidence.get("quantized_modules", {}) else []


def doubts() -> list[str]:
    if _DOT_PRODUCTS & set(instruction_sets()):
        return []
    return ["this CPU has no int8 dot products (VNNI, AMX, i8mm): int8 may be slower than float32"]


def graph_doubts(evidence: Mapping[str, Any], *, fused: bool) -> list[str]:
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
