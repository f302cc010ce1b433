"""Decodes greedily: each step takes the likeliest token of every row.

The tokens are those of transformers' `generate(num_beams=1)`: suppressed tokens, the forced end
at the length limit, padding after the end of a row, and a stop when every row has ended.
"""

from __future__ import annotations

from pytest_infperf.backends.seq2seq.generation import Generation
from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.backends.seq2seq.steps import Names, Steps, is_any
from pytest_infperf.errors import BuildError


def decode(builder: GraphBuilder, steps: Steps, generation: Generation) -> str:
    """Append all of the decoding; the name of the sequences."""
    from onnx import TensorProto, helper

    known = steps.append_encoder(builder)
    rows = builder.node("Shape", "input_ids", start=0, end=1)
    column = builder.node("Concat", rows, builder.constant([1]), axis=0)
    token = sequences = builder.node("Expand", builder.constant([[generation.start_id]]), column)
    alive = builder.node("Expand", builder.constant([[1]], "int32"), column)
    more = builder.constant(True, "bool")
    count = generation.max_new_tokens - (generation.forced_eos_id is not None)
    if steps.has_first_step:
        known |= steps.append_first_step(builder, known, token)
        token, alive, more = _pick(builder, known["logits"], alive, generation)
        sequences = builder.node("Concat", sequences, token, axis=1)
        count -= 1

    def advance(
        body: GraphBuilder, given: Names, results: dict[str, str]
    ) -> tuple[dict[str, str], str]:
        token, alive, more = _pick(body, results["logits"], given["alive"], generation)
        grown = body.node("Concat", given["sequences"], token, axis=1)
        return {**results, "input_ids": token, "alive": alive, "sequences": grown}, more

    state = {"input_ids": token, "alive": alive, "sequences": sequences}
    state |= {name: known[name] for name in steps.past_names}
    types = {
        "alive": helper.make_tensor_type_proto(TensorProto.INT32, ["batch", 1]),
        "sequences": helper.make_tensor_type_proto(TensorProto.INT64, ["batch", "target"]),
    }
    last = steps.append_loop(builder, known, state, types, count, more, advance)
    return _finish(builder, last["sequences"], last["alive"], generation)


def _pick(
    builder: GraphBuilder, logits: str, alive: str, generation: Generation
) -> tuple[str, str, str]:
    """The next token of every row, the rows that have not ended, and whether there are any."""
    if generation.suppressed:
        _suppress(builder, logits, generation.suppressed)
    # TopK is onnxruntime's faster ArgMax; both take the first of equal logits.
    best = builder.node_with_outputs(
        "TopK", [logits, builder.constant([1])], builder.output_names("TopK", 2)
    )
    token = builder.node("Squeeze", best[1], builder.constant([-1]))
    ends = builder.node("Equal", token, builder.constant(generation.eos_id))
    alive = builder.node("Where", ends, builder.constant(0, "int32"), alive)
    return token, alive, is_any(builder, alive)


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


def _finish(builder: GraphBuilder, sequences: str, alive: str, generation: Generation) -> str:
    """Pad after the end of every row, and end the rows that the length limit cut."""
    from onnx import TensorProto

    none, one, far = (builder.constant([bound]) for bound in (0, 1, 2**63 - 1))
    start = builder.node("Slice", sequences, none, one, one)
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
    return builder.node("Slice", longest, none, end, one, output="sequences")
