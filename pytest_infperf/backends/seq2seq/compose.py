"""Composition of a model's graphs into one that decodes inside onnxruntime.

A loop over tokens in Python takes longer than a small model itself, and a beam search in Python
takes longer still.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_infperf.backends.seq2seq import beam, greedy
from pytest_infperf.backends.seq2seq.export import ENCODER, STEP
from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.backends.seq2seq.steps import Steps
from pytest_infperf.errors import BuildError

MODEL = "model.onnx"


def compose(folder: Path, generation: Generation) -> Path:
    """Write the graph that maps input_ids and attention_mask to sequences; return its path.

    Raises BuildError if the folder lacks an exported graph.
    """
    import onnx

    parts = {
        name: onnx.load(folder / name) for name in (ENCODER, STEP) if (folder / name).is_file()
    }
    missing = {ENCODER, STEP} - parts.keys()
    if missing:
        raise BuildError(f"{folder} has no {' and no '.join(sorted(missing))}: export first")
    builder = GraphBuilder()
    decode = greedy.decode if generation.beams == 1 else beam.decode
    sequences = decode(
        builder, Steps({name: part.graph for name, part in parts.items()}), generation
    )
    opsets: dict[str, int] = {"com.microsoft": 1}
    for part in parts.values():
        for opset in part.opset_import:
            opsets[opset.domain] = max(opset.version, opsets.get(opset.domain, 1))
    graph = onnx.helper.make_graph(
        builder.nodes,
        "decode",
        [_token_ids(name, "source") for name in ("input_ids", "attention_mask")],
        [_token_ids(sequences, "target")],
        builder.initializers(builder.nodes),
    )
    model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid(*opset) for opset in opsets.items()],
        ir_version=max(part.ir_version for part in parts.values()),
    )
    path = folder / MODEL
    onnx.save(model, path)
    return path


def _token_ids(name: str, length: str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", length])
