"""Dynamic quantisation of exported or fused graphs to int8, with settings for this host.

Each tensor has one scale. Alternatives were measured on a small Marian with VNNI. With one scale
per column, decoding takes 20 % longer, and the difference in BLEU is within the noise. 8-bit
weights in blocks (MatMulNBits) are even slower on batches. A 4-bit output projection decodes 10 %
faster and loses more than 0.5 BLEU.
"""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.backends.quantization import needs_reduced_range, without_preprocessing_advice
from pytest_infperf.backends.seq2seq.weights import POSITIONS


def quantize(folder: Path) -> dict[str, object]:
    """Quantise the graphs in the folder in place; return the settings."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    reduce_range = needs_reduced_range()
    for path in sorted(folder.glob("*.onnx")):
        with without_preprocessing_advice():
            quantize_dynamic(
                path,
                path,
                weight_type=QuantType.QInt8,
                per_channel=False,
                reduce_range=reduce_range,
                nodes_to_exclude=_position_lookups(path),
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
    return {
        "method": "dynamic",
        "weights": "int8",
        "scales": "tensor",
        "reduce_range": reduce_range,
    }


def _position_lookups(path: Path) -> list[str]:
    """Return the nodes to exclude: small tables that every step would have to dequantise."""
    import onnx

    nodes = onnx.load(path).graph.node
    return [node.name for node in nodes if node.op_type == "Gather" and POSITIONS in node.input[0]]
