"""Decodes greedily inside onnxruntime, because a Python loop over tokens costs more than the model.

`compose` joins the exported graphs into one: the encoder, the decoder's first step if there is
one, and an ONNX Loop around the decoder's next step. The tokens are those of transformers'
`generate(num_beams=1)`: suppressed tokens, the forced end at the length limit, padding after
the end of a row, and a stop when every row has ended.

The graphs meet by name. An output `present.X` of a step becomes the input `past_key_values.X`
of the next one; every other input of a step is an output of the graphs before the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_infperf.backends.seq2seq.decoding import GreedyDecoding
from pytest_infperf.backends.seq2seq.export import ENCODER, FIRST_STEP, NEXT_STEP
from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.errors import BuildError

MODEL = "model.onnx"


def compose(folder: Path, decoding: GreedyDecoding) -> Path:
    """Write the graph that maps input_ids and attention_mask to sequences, and return its path."""
    import onnx

    parts = {
        name: onnx.load(folder / name)
        for name in (ENCODER, FIRST_STEP, NEXT_STEP)
        if (folder / name).is_file()
    }
    missing = {ENCODER, NEXT_STEP} - parts.keys()
    if missing:
        raise BuildError(f"{folder}: {', '.join(sorted(missing))} missing; export first")
    builder = GraphBuilder()
    sequences = _decode(builder, {name: part.graph for name, part in parts.items()}, decoding)
    opsets: dict[str, int] = {"com.microsoft": 1}
    for part in parts.values():
        for opset in part.opset_import:
            opsets[opset.domain] = max(opset.version, opsets.get(opset.domain, 1))
    graph = onnx.helper.make_graph(
        builder.nodes,
        "greedy",
        [_ids(name, "source") for name in ("input_ids", "attention_mask")],
        [_ids(sequences, "target")],
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


def _ids(name: str, length: str | int) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", length])


def _decode(builder: GraphBuilder, parts: Mapping[str, Any], decoding: GreedyDecoding) -> str:
    """Append all of the decoding; the name of the sequences."""
    known = {"input_ids": "input_ids", "attention_mask": "attention_mask"}
    known |= builder.add(parts[ENCODER], "encoder", known)
    known["encoder_attention_mask"] = "attention_mask"
    known["encoder_hidden_states"] = known.get("last_hidden_state", "")

    rows = builder.node("Shape", "input_ids", start=0, end=1)
    column = builder.node("Concat", rows, builder.constant([1]), axis=0)
    token = sequences = builder.node("Expand", builder.constant([[decoding.start_id]]), column)
    alive = builder.node("Expand", builder.constant([[1]], "int32"), column)
    more = builder.constant(True, "bool")
    steps = decoding.max_new_tokens - (decoding.forced_eos_id is not None)
    if FIRST_STEP in parts:
        first = builder.add(parts[FIRST_STEP], "first", known | {"input_ids": token})
        token, alive, more = _pick(builder, first.pop("logits"), alive, decoding)
        sequences = builder.node("Concat", sequences, token, axis=1)
        known |= {_past(name): value for name, value in first.items()}
        steps -= 1

    state = {"input_ids": token, "alive": alive, "sequences": sequences}
    for output in parts[NEXT_STEP].output:
        if output.name != "logits":
            state[_past(output.name)] = known[_past(output.name)]
    last = dict(zip(state, [f"last/{name}" for name in state], strict=True))
    builder.node_of(
        "Loop",
        [builder.constant(steps), more, *state.values()],
        list(last.values()),
        body=_loop_body(builder, parts[NEXT_STEP], known, list(state), decoding),
    )
    return _finish(builder, last["sequences"], last["alive"], decoding)


def _past(name: str) -> str:
    return name.replace("present.", "past_key_values.", 1)


def _loop_body(
    parent: GraphBuilder,
    step: Any,
    known: Mapping[str, str],
    state: list[str],
    decoding: GreedyDecoding,
) -> Any:
    from onnx import TensorProto, helper

    body = GraphBuilder(parent, prefix="loop/")
    given = {**known, **{name: f"step/{name}" for name in state}, "position": "step/position"}
    results = {_past(name): value for name, value in body.add(step, "step", given).items()}
    token, alive, more = _pick(body, results.pop("logits"), given["alive"], decoding)
    results |= {"input_ids": token, "alive": alive}
    results["sequences"] = body.node("Concat", given["sequences"], token, axis=1)

    types = {value.name: value.type for value in step.input}
    types["alive"] = helper.make_tensor_type_proto(TensorProto.INT32, ["batch", 1])
    types["sequences"] = _ids("sequences", "target").type
    inputs = [
        helper.make_tensor_value_info("step/position", TensorProto.INT64, []),
        helper.make_tensor_value_info("step/continue", TensorProto.BOOL, []),
    ]
    inputs += [helper.make_value_info(given[name], types[name]) for name in state]
    outputs = [helper.make_tensor_value_info(more, TensorProto.BOOL, [])]
    for name in state:
        element = types[name].tensor_type.elem_type
        outputs.append(helper.make_tensor_value_info(results[name], element, None))
    return helper.make_graph(body.nodes, "step", inputs, outputs)


def _pick(
    builder: GraphBuilder, logits: str, alive: str, decoding: GreedyDecoding
) -> tuple[str, str, str]:
    """The next token of every row, the rows that have not ended, and whether there are any."""
    from onnx import TensorProto

    if decoding.suppressed:
        _suppress(builder, logits, decoding.suppressed)
    # TopK is onnxruntime's faster ArgMax; both take the first of equal logits.
    best = builder.node_of("TopK", [logits, builder.constant([1])], builder.free_names("TopK", 2))
    token = builder.node("Squeeze", best[1], builder.constant([-1]))
    ends = builder.node("Equal", token, builder.constant(decoding.eos_id))
    alive = builder.node("Where", ends, builder.constant(0, "int32"), alive)
    left = builder.node("ReduceMax", alive, keepdims=0)
    return token, alive, builder.node("Cast", left, to=TensorProto.BOOL)


def _suppress(builder: GraphBuilder, logits: str, tokens: tuple[int, ...]) -> None:
    """Let the bias of the logits rule the tokens out, which costs nothing at run time."""
    from onnx import numpy_helper

    [node] = [node for node in builder.nodes if logits in node.output]
    biases = [name for name in node.input if name in builder.constants]
    if node.op_type != "Add" or not biases:
        raise BuildError(
            "the exported logits have no bias to suppress tokens in; export a model with"
            " final_logits_bias, such as a MarianMT model"
        )
    bias = numpy_helper.to_array(builder.constants[biases[0]]).copy()
    bias[..., list(tokens)] = float("-inf")
    node.input[list(node.input).index(biases[0])] = builder.constant(bias, str(bias.dtype))


def _finish(builder: GraphBuilder, sequences: str, alive: str, decoding: GreedyDecoding) -> str:
    """Pad after the end of every row, and end the rows that the length limit cut."""
    from onnx import TensorProto

    none, one, far = (builder.constant([bound]) for bound in (0, 1, 2**63 - 1))
    start = builder.node("Slice", sequences, none, one, one)
    tokens = builder.node("Slice", sequences, one, far, one)
    pad = builder.constant(decoding.pad_id)
    ends = builder.node("Equal", tokens, builder.constant(decoding.eos_id))
    ends = builder.node("Cast", ends, to=TensorProto.INT32)
    ended = builder.node("CumSum", ends, builder.constant(1), exclusive=1)
    ended = builder.node("Cast", ended, to=TensorProto.BOOL)
    tokens = builder.node("Where", ended, pad, tokens)
    if decoding.forced_eos_id is None:
        return builder.node("Concat", start, tokens, axis=1, output="sequences")
    cut = builder.node("Cast", alive, to=TensorProto.BOOL)
    forced = builder.node("Where", cut, builder.constant(decoding.forced_eos_id), pad)
    longest = builder.node("Concat", start, tokens, forced, axis=1)
    left = builder.node("ReduceMax", alive, keepdims=0)
    left = builder.node("Cast", left, to=TensorProto.BOOL)
    end = builder.node("Where", left, far, builder.constant([-1]))
    return builder.node("Slice", longest, none, end, one, output="sequences")
