"""Reasons why int8 may not be faster than float32, from the CPU and the built artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_infperf.host.cpu import has_int8_dot_products, instruction_sets

_RECURRENT = (
    "the LSTM layers are quantised dynamically: each time step multiplies by a small matrix, and "
    "quantising the input of that step takes longer than the multiplication saves"
)

NOT_COMPILED = (
    "torchao quantises each input with a series of operations that only torch.compile fuses: set "
    "compile=True"
)


def module_doubts(evidence: Mapping[str, Any]) -> list[str]:
    """Return the reasons that follow from the layers of a torch module in int8.

    `evidence` is that of the build; its `quantized_modules` counts the layers by class.
    """
    return [_RECURRENT] if "LSTM" in evidence.get("quantized_modules", {}) else []


def doubts() -> list[str]:
    if has_int8_dot_products(instruction_sets()):
        return []
    return ["this CPU has no int8 dot products (VNNI, AMX, i8mm): int8 may be slower than float32"]


def graph_doubts(evidence: Mapping[str, Any]) -> list[str]:
    """Return the reasons that follow from the operators of an ONNX graph in int8.

    `evidence` is that of the build; its `quantization.operators` counts the int8 operators, and its
    `can_be_fused` is whether the graph is not fused although it can be.
    """
    operators = evidence.get("quantization", {}).get("operators", {})
    reasons = []
    if evidence.get("can_be_fused"):
        reasons.append("the graph is not fused: set fused=True")
    if operators.get("DynamicQuantizeLSTM"):
        reasons.append(_RECURRENT)
    if operators.get("ConvInteger"):
        reasons.append(
            "the convolutions are quantised dynamically (ConvInteger), for which ONNX Runtime has "
            'no fast kernel on CPUs: set int8="static" to quantise them with calibration'
        )
    return reasons
