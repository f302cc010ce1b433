"""Fusion of MarianMT models.

Small operators take most of the time of a decoder step, and onnxruntime's transformer optimiser
finds only SkipLayerNormalization in the export. The graphs are therefore built from the model's
weights with onnxruntime's fused operators. Values that are equal in all steps are computed before
the loop: scaled embeddings, the attention mask, and the keys and values of the source.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pytest_infperf.backends.seq2seq.export import AUTO_CLASS, ENCODER, STEP
from pytest_infperf.backends.seq2seq.layers import FUSED, Layers, Shape
from pytest_infperf.backends.seq2seq.weights import Weights
from pytest_infperf.backends.torch_module import load_torch_module
from pytest_infperf.errors import BuildError

_MASKED = -3.4028234663852886e38


def can_be_fused(model: Path) -> bool:
    """Return whether `fuse` can write the graphs of the model."""
    try:
        Shape.from_config(model)
    except BuildError:
        return False
    return True


def fuse(model: Path, folder: Path) -> dict[str, int]:
    """Write the graphs of a MarianMT to the folder; return the count of each fused operator.

    Keys are "encoder.OPERATOR" and "decoder.OPERATOR". Raises BuildError if the model is not a
    MarianMT, or has an activation that no fused operator computes.
    """
    import onnx

    shape = Shape.from_config(model)
    module = load_torch_module(model, AUTO_CLASS)
    encoder, decoder = Weights(module.get_encoder()), Weights(module.get_decoder())
    head = module.lm_head.weight.detach().numpy().T, module.final_logits_bias.numpy().reshape(-1)
    parts = {
        "encoder": (ENCODER, _encoder(encoder, decoder, shape)),
        "decoder": (STEP, _step(decoder, head, shape)),
    }
    for name, graph in parts.values():
        onnx.save(graph, folder / name)
    return dict(
        Counter(
            f"{part}.{node.op_type}"
            for part, (_, graph) in parts.items()
            for node in graph.graph.node
            if node.domain == FUSED
        )
    )


def _encoder(encoder: Weights, decoder: Weights, shape: Shape) -> Any:
    from onnx import TensorProto

    layers = Layers(encoder, shape)
    mask = layers.node("Cast", "attention_mask", to=TensorProto.INT32)
    length = layers.node("Shape", "input_ids", start=1, end=2)
    zero = layers.constant([0])
    positions = layers.node("Slice", layers.position_table(), zero, length, zero)
    values = layers.node("Add", layers.embed("input_ids"), positions)
    for index in range(shape.encoder_layers):
        layer = f"layers.{index}"
        attended = layers.fused(
            "Attention",
            values,
            *map(layers.array, encoder.packed(f"{layer}.self_attn")),
            mask,
            num_heads=shape.encoder_heads,
            mask_filter_value=_MASKED,
        )
        values = layers.project_and_normalise(
            attended, values, f"{layer}.self_attn.out_proj", f"{layer}.self_attn_layer_norm"
        )
        values = layers.feed_forward(values, layer)
    outputs = _encoder_outputs(layers, decoder, values, shape)
    return layers.model([_integers("input_ids"), _integers("attention_mask")], outputs)


def _encoder_outputs(layers: Layers, decoder: Weights, values: str, shape: Shape) -> list[Any]:
    """Append the inputs of every step: keys, values and mask of the source, and an empty past.

    Returns the descriptions of these outputs of the encoder.
    """
    import numpy
    from onnx import TensorProto, helper, numpy_helper

    sources = [
        f"layers.{index}.encoder_attn.{part}_proj"
        for index in range(shape.decoder_layers)
        for part in "kv"
    ]
    product = layers.linear(values, *decoder.side_by_side(sources))
    heads, size = shape.decoder_heads, shape.width // shape.decoder_heads
    split = layers.node("Reshape", product, layers.constant([0, 0, len(sources), heads, size]))
    split = layers.node("Transpose", split, perm=[2, 0, 3, 1, 4])
    outputs = []
    for index, source in enumerate(sources):
        name = _source_name(source)
        layers.node("Gather", split, layers.constant(index), output=name)
        outputs.append(_floats(name, ["batch", heads, "source", size]))

    kept = layers.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    dropped = layers.node("Sub", layers.array(1.0), kept)
    bias = layers.node("Mul", dropped, layers.array(_MASKED))
    layers.node("Unsqueeze", bias, layers.constant([1, 2]), output="source_mask")
    outputs.append(_floats("source_mask", ["batch", 1, 1, "source"]))

    rows = layers.node("Shape", "input_ids", start=0, end=1)
    empty = layers.node("Concat", rows, layers.constant([heads, 0, size]), axis=0)
    empty = layers.node("ConstantOfShape", empty)
    for index in range(shape.decoder_layers):
        for part in ("key", "value"):
            name = f"past_key_values.{index}.decoder.{part}"
            layers.node("Identity", empty, output=name)
            outputs.append(_floats(name, ["batch", heads, "past", size]))
    minus_one = numpy_helper.from_array(numpy.array([-1], "int32"))
    layers.node("ConstantOfShape", rows, output="minus_one", value=minus_one)
    outputs.append(helper.make_tensor_value_info("minus_one", TensorProto.INT32, ["batch"]))
    return outputs


def _step(weights: Weights, head: tuple[Any, Any], shape: Shape) -> Any:
    from onnx import TensorProto, helper

    layers = Layers(weights, shape)
    heads, size = shape.decoder_heads, shape.width // shape.decoder_heads
    inputs = [
        _integers("input_ids"),
        helper.make_tensor_value_info("position", TensorProto.INT64, []),
        helper.make_tensor_value_info("minus_one", TensorProto.INT32, ["batch"]),
        _floats("source_mask", ["batch", 1, 1, "source"]),
    ]
    outputs = [_floats("logits", ["batch", 1, "vocabulary"])]
    # A lookup is one operator; a cast and an addition are two.
    lengths = layers.constant(range(1, len(weights.positions()) + 1), "int32")
    total_length = layers.node("Gather", lengths, "position")
    past_lengths = layers.node("Add", "minus_one", total_length)
    position = layers.node("Gather", layers.position_table(), "position")
    values = layers.node("Add", layers.embed("input_ids"), position)
    for index in range(shape.decoder_layers):
        layer = f"layers.{index}"
        past = [f"past_key_values.{index}.decoder.{part}" for part in ("key", "value")]
        present = [name.replace("past_key_values", "present") for name in past]
        inputs += [_floats(name, ["batch", heads, "past", size]) for name in past]
        outputs += [_floats(name, ["batch", heads, "present", size]) for name in present]
        query_key_value = layers.linear(values, *weights.packed(f"{layer}.self_attn"))
        attended, *_ = layers.node_with_outputs(
            "GroupQueryAttention",
            [query_key_value, "", "", *past, past_lengths, total_length],
            [f"{layer}.self_attn", *present],
            domain=FUSED,
            num_heads=heads,
            kv_num_heads=heads,
        )
        values = layers.project_and_normalise(
            attended, values, f"{layer}.self_attn.out_proj", f"{layer}.self_attn_layer_norm"
        )
        source = [_source_name(f"{layer}.encoder_attn.{part}_proj") for part in "kv"]
        inputs += [_floats(name, ["batch", heads, "source", size]) for name in source]
        query = layers.linear(values, *weights.linear(f"{layer}.encoder_attn.q_proj"))
        attended = layers.fused(
            "MultiHeadAttention", query, *source, "", "", "source_mask", num_heads=heads
        )
        values = layers.project_and_normalise(
            attended, values, f"{layer}.encoder_attn.out_proj", f"{layer}.encoder_attn_layer_norm"
        )
        values = layers.feed_forward(values, layer)
    matrix, bias = head
    product = layers.node("MatMul", values, layers.array(matrix))
    layers.node("Add", product, layers.array(bias), output="logits")
    return layers.model(inputs, outputs)


def _source_name(projection: str) -> str:
    """Return the name of the keys or values of the source in a decoder layer."""
    return projection.replace("layers.", "source.").replace(".encoder_attn.", ".")


def _integers(name: str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", f"{name}_length"])


def _floats(name: str, dims: list[int | str]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
