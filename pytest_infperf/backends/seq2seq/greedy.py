"""Greedy decoding: each step takes the most likely token of every row.

The generated tokens equal those of transformers' `generate(num_beams=1)`, including its rules for
suppressed tokens, the forced end at the length limit and the padding after the end of a row.
Decoding stops when every row has ended.
"""

from __future__ import annotations

from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.backends.seq2seq.steps import Names, Steps, is_any


def decode(builder: GraphBuilder, steps: Steps, generation: Generation) -> str:
    """Append the whole decoding to the graph; return the name of the sequences."""
    from onnx import TensorProto, helper

    scope = steps.append_encoder(builder)
    rows = builder.node("Shape", "input_ids", start=0, end=1)
    column = builder.node("Concat", rows, builder.constant([1]), axis=0)
    token = sequences = builder.node("Expand", builder.constant([[generation.start_id]]), column)
    alive = builder.node("Expand", builder.constant([[1]], "int32"), column)

    def advance(
        body: GraphBuilder, inputs: Names, outputs: dict[str, str]
    ) -> tuple[dict[str, str], str]:
        token, alive, condition = _pick(
            body, outputs["logits"], inputs["alive"], inputs["position"], generation
        )
        sequences = body.node("Concat", inputs["sequences"], token, axis=1)
        return {**outputs, "input_ids": token, "alive": alive, "sequences": sequences}, condition

    state = {"input_ids": token, "alive": alive, "sequences": sequences}
    state |= {name: scope[name] for name in steps.past_names}
    types = {
        "alive": helper.make_tensor_type_proto(TensorProto.INT32, ["batch", 1]),
        "sequences": helper.make_tensor_type_proto(TensorProto.INT64, ["batch", "target"]),
    }
    max_steps = generation.max_new_tokens - (generation.forced_eos_id is not None)
    final = steps.append_loop(builder, scope, state, types, max_steps, advance)
    return _finish(builder, final["sequences"], final["alive"], generation)


def _pick(
    builder: GraphBuilder, logits: str, alive: str, position: str, generation: Generation
) -> tuple[str, str, str]:
    """Append the choice of the next token of every row.

    Returns the names of the tokens, of the flags of rows that have not ended, and of a flag that is
    true if any row has not ended.
    """
    if generation.suppressed:
        logits = _suppress(builder, logits, generation)
    # TopK is faster than ArgMax in onnxruntime; both take the first of equal logits.
    best = builder.node_with_outputs(
        "TopK", [logits, builder.constant([1])], builder.output_names("TopK", 2)
    )
    token = builder.node("Squeeze", best[1], builder.constant([-1]))
    if generation.first_id is not None:
        is_first = builder.node("Equal", position, builder.constant(0))
        token = builder.node("Where", is_first, builder.constant(generation.first_id), token)
    ends = builder.node("Equal", token, builder.constant(generation.eos_id))
    alive = builder.node("Where", ends, builder.constant(0, "int32"), alive)
    return token, alive, is_any(builder, alive)


def _suppress(builder: GraphBuilder, logits: str, generation: Generation) -> str:
    """Suppress tokens in the bias of the logits if they have one; return the name of the logits.

    The change of the bias takes no time when the graph runs.
    """
    import numpy
    from onnx import numpy_helper

    [node] = [node for node in builder.nodes if logits in node.output]
    biases = [name for name in node.input if name in builder.constants]
    if node.op_type != "Add" or not biases:
        return builder.node("Add", logits, builder.constant(generation.mask(), "float32"))
    bias = numpy_helper.to_array(builder.constants[biases[0]])
    bias = bias + numpy.asarray(generation.mask(), bias.dtype)
    node.input[list(node.input).index(biases[0])] = builder.constant(bias, str(bias.dtype))
    return logits


def _finish(builder: GraphBuilder, sequences: str, alive: str, generation: Generation) -> str:
    """Append padding after the end of every row, and the end of rows at the length limit."""
    from onnx import TensorProto

    zero, one, far = (builder.constant([bound]) for bound in (0, 1, 2**63 - 1))
    start = builder.node("Slice", sequences, zero, one, one)
    tokens = builder.node("Slice", sequences, one, far, one)
    pad = builder.constant(generation.pad_id)
    ends = builder.node("Equal", tokens, builder.constant(generation.eos_id))
    ends = builder.node("Cast", ends, to=TensorProto.INT32)
    ended = builder.node("CumSum", ends, builder.constant(1), exclusive=1)
    ended = builder.node("Cast", ended, to=TensorProto.BOOL)
    tokens = builder.node("Where", ended, pad, tokens)
    if generation.forced_eos_id is None:
        return builder.node("Concat", start, tokens, axis=1, output="sequences")
    cut = builder.node("Cast", alive, to=TensorProto.BOOL)
    forced = builder.node("Where", cut, builder.constant(generation.forced_eos_id), pad)
    longest = builder.node("Concat", start, tokens, forced, axis=1)
    end = builder.node("Where", is_any(builder, alive), far, builder.constant([-1]))
    return builder.node("Slice", longest, zero, end, one, output="sequences")
