"""Joins exported graphs: the encoder, the decoder's first step, and a Loop around its next one.

The graphs meet by name. An output `present.X` of a step becomes the input `past_key_values.X`
of the next one; every other input of a step is an output of the graphs before the loop. What is
done with the logits is the business of a decoding: `greedy` or `beam`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_infperf.backends.seq2seq.export import ENCODER, FIRST_STEP, NEXT_STEP
from pytest_infperf.backends.seq2seq.graph import GraphBuilder

Names = Mapping[str, str]
"""What a value is called in a graph, by what it is."""

Advance = Callable[[GraphBuilder, Names, dict[str, str]], tuple[dict[str, str], str]]
"""From a step's inputs and outputs (`logits` and the past) to the next state, and whether to
go on. Appends its nodes to the body of the loop."""


@dataclass(frozen=True)
class Steps:
    """The exported graphs by file name; fused ones need no first step."""

    graphs: Mapping[str, Any]

    @property
    def has_first_step(self) -> bool:
        return FIRST_STEP in self.graphs

    @property
    def past_names(self) -> list[str]:
        """What a step hands to the next one."""
        outputs = [output.name for output in self.graphs[NEXT_STEP].output]
        return [_past_name(name) for name in outputs if name != "logits"]

    @property
    def context_names(self) -> list[str]:
        """The inputs of a step, apart from the token."""
        return [value.name for value in self.graphs[NEXT_STEP].input if value.name != "input_ids"]

    def append_encoder(self, builder: GraphBuilder) -> dict[str, str]:
        """Append the encoder; what the steps may read."""
        known = {"input_ids": "input_ids", "attention_mask": "attention_mask"}
        known |= builder.add_graph(self.graphs[ENCODER], "encoder", known)
        known["encoder_attention_mask"] = "attention_mask"
        known["encoder_hidden_states"] = known.get("last_hidden_state", "")
        return known

    def append_first_step(self, builder: GraphBuilder, known: Names, token: str) -> dict[str, str]:
        """Append the first step; its logits and past."""
        given = {**known, "input_ids": token}
        return _present_to_past(builder.add_graph(self.graphs[FIRST_STEP], "first", given))

    def append_loop(
        self,
        builder: GraphBuilder,
        known: Names,
        state: Names,
        types: Mapping[str, Any],
        count: int,
        more: str,
        advance: Advance,
    ) -> dict[str, str]:
        """Append the Loop of at most `count` next steps; the state after the last one.

        `types` are those of the state that no step has as an input.
        """
        last = {name: f"last/{name}" for name in state}
        builder.node_with_outputs(
            "Loop",
            [builder.constant(count), more, *state.values()],
            list(last.values()),
            body=self._body(builder, known, list(state), types, advance),
        )
        return last

    def _body(
        self,
        parent: GraphBuilder,
        known: Names,
        state: list[str],
        types: Mapping[str, Any],
        advance: Advance,
    ) -> Any:
        from onnx import TensorProto, helper

        step = self.graphs[NEXT_STEP]
        body = GraphBuilder(parent, prefix="loop/")
        given = {**known, **{name: f"step/{name}" for name in state}, "position": "step/position"}
        results, more = advance(body, given, _present_to_past(body.add_graph(step, "step", given)))

        types = {**{value.name: value.type for value in step.input}, **types}
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


def is_any(builder: GraphBuilder, flags: str) -> str:
    """Whether any of these integers is not zero."""
    from onnx import TensorProto

    return builder.node("Cast", builder.node("ReduceMax", flags, keepdims=0), to=TensorProto.BOOL)


def _past_name(name: str) -> str:
    return name.replace("present.", "past_key_values.", 1)


def _present_to_past(outputs: Names) -> dict[str, str]:
    return {_past_name(name): value for name, value in outputs.items()}
