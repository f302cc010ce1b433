"""Quantises exported or fused graphs to int8, with the settings that suit this host.

A tensor has one scale. On a small Marian with VNNI, a scale for each column made decoding a fifth
slower for BLEU within its noise; weights in blocks of 8 bits (MatMulNBits) were slower still on
batches; a head of 4 bits was a tenth faster and lost more than half a point of BLEU.
"""

from __future__ import annotations

from pathlib import Path

from pytest_infperf.backends.quantization import needs_reduced_range, without_preprocessing_advice
from pytest_infperf.backends.seq2seq.export import ENCODER, FIRST_STEP, NEXT_STEP
from pytest_infperf.backends.seq2seq.weights import POSITIONS


def quantize(folder: Path) -> dict[str, object]:
    """Quantise the graphs in the folder in place; the settings that were used."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    reduce_range = needs_reduced_range()
    for path in (folder / name for name in (ENCODER, FIRST_STEP, NEXT_STEP)):
        if not path.is_file():
            continue
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
    """Nodes to leave alone: their tables are small, and one operator more in each step is not."""
    import onnx

    nodes = onnx.load(path).graph.node
    return [node.name for node in nodes if node.op_type == "Gather" and POSITIONS in node.input[0]]
