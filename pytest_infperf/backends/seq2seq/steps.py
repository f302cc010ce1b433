"""Composition of exported graphs: the encoder, and a Loop around the step.

The graphs are joined by name. An output `present.X` of a step becomes the input `past_key_values.X`
of the next one; every other input of a step is an output of the encoder or an input of the whole
graph. A decoding (`greedy` or `beam`) decides what happens to the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_infperf.backends.seq2seq.export import ENCODER, STEP
from pytest_infperf.backends.seq2seq.graph import GraphBuilder

Names = Mapping[str, str]
"""Names of values in the composed graph, by their names in a step or in the state."""

Advance = Callable[[GraphBuilder, Names, dict[str, str]], tuple[dict[str, str], str]]
"""Function from a step's inputs and outputs (`logits` and the past) to the next state and the
loop's condition. It appends its nodes to the body of the loop."""


@dataclass(frozen=True)
class Steps:
    """The exported graphs of a model, and their composition with a decoding."""

    graphs: Mapping[str, Any]
    """Graphs by file name."""

    @property
    def past_names(self) -> list[str]:
        """Names of the keys and values that a step passes to the next one."""
        outputs = [output.name for output in self.graphs[STEP].output]
        return [_past_name(name) for name in outputs if name != "logits"]

    @property
    def context_names(self) -> list[str]:
        """Names of the inputs of a step, without the token."""
        return [value.name for value in self.graphs[STEP].input if value.name != "input_ids"]

    def append_encoder(self, builder: GraphBuilder) -> dict[str, str]:
        """Append the encoder; return the names of all values that steps may read."""
        scope = {"input_ids": "input_ids", "attention_mask": "attention_mask"}
        scope |= builder.add_graph(self.graphs[ENCODER], "encoder", scope)
        scope["encoder_attention_mask"] = "attention_mask"
        scope["encoder_hidden_states"] = scope.get("last_hidden_state", "")
        return scope

    def append_loop(
        self,
        builder: GraphBuilder,
        scope: Names,
        state: Names,
        types: Mapping[str, Any],
        max_steps: int,
        advance: Advance,
    ) -> dict[str, str]:
        """Append a Loop of at most `max_steps` steps; return the names of the final state.

        `types` contains the types of the values of the state that are not inputs of a step.
        """
        final = {name: f"last/{name}" for name in state}
        builder.node_with_outputs(
            "Loop",
            [builder.constant(max_steps), "", *state.values()],
            list(final.values()),
            body=self._body(builder, scope, list(state), types, advance),
        )
        return final

    def _body(
        self,
        parent: GraphBuilder,
        scope: Names,
        state: list[str],
        types: Mapping[str, Any],
        advance: Advance,
    ) -> Any:
        from onnx import TensorProto, helper

        step = self.graphs[STEP]
        body = GraphBuilder(parent, prefix="loop/")
        names = {**scope, **{name: f"step/{name}" for name in state}, "position": "step/position"}
        presents = body.add_graph(step, "step", names)
        step_outputs = {_past_name(name): value for name, value in presents.items()}
        next_state, condition = advance(body, names, step_outputs)

        types = {**{value.name: value.type for value in step.input}, **types}
        inputs = [
            helper.make_tensor_value_info("step/position", TensorProto.INT64, []),
            helper.make_tensor_value_info("step/continue", TensorProto.BOOL, []),
        ]
        inputs += [helper.make_value_info(names[name], types[name]) for name in state]
        outputs = [helper.make_tensor_value_info(condition, TensorProto.BOOL, [])]
        for name in state:
            element = types[name].tensor_type.elem_type
            outputs.append(helper.make_tensor_value_info(next_state[name], element, None))
        return helper.make_graph(body.nodes, "step", inputs, outputs)


def is_any(builder: GraphBuilder, flags: str) -> str:
    """Append a test of whether any of the integers is nonzero; return the name of its result."""
    from onnx import TensorProto

    return builder.node("Cast", builder.node("ReduceMax", flags, keepdims=0), to=TensorProto.BOOL)


def _past_name(name: str) -> str:
    return name.replace("present.", "past_key_values.", 1)
