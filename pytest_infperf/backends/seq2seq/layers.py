"""The layers of a Marian transformer, built from onnxruntime's fused operators.

Residual and norm are two operators, Sum and LayerNormalization, because SkipLayerNormalization
takes several times as long on a CPU. The runtime would fuse Add and LayerNormalization to it, but
not Sum.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_infperf.backends.seq2seq.graph import GraphBuilder
from pytest_infperf.backends.seq2seq.weights import POSITIONS, Weights
from pytest_infperf.errors import BuildError

FUSED = "com.microsoft"
_OPSET = 18
_ACTIVATIONS = ("swish", "silu", "gelu", "relu")


@dataclass(frozen=True)
class Shape:
    """The values of a Marian configuration that determine the graphs."""

    width: int
    encoder_layers: int
    encoder_heads: int
    decoder_layers: int
    decoder_heads: int
    embedding_scale: float
    activation: str

    @classmethod
    def from_config(cls, folder: Path) -> Shape:
        """Read config.json; raise BuildError if it is not a Marian model that can be fused."""
        config = json.loads((folder / "config.json").read_text())
        if config.get("model_type") != "marian":
            raise BuildError(
                f"{folder}: only models of the type 'marian' can be fused, not"
                f" {config.get('model_type')!r}; use the unfused variant of this model"
            )
        activation = config["activation_function"]
        if activation not in _ACTIVATIONS:
            raise BuildError(
                f"{folder}: only the activations {', '.join(_ACTIVATIONS)} can be fused, not"
                f" {activation!r}; use the unfused variant of this model"
            )
        return cls(
            width=config["d_model"],
            encoder_layers=config["encoder_layers"],
            encoder_heads=config["encoder_attention_heads"],
            decoder_layers=config["decoder_layers"],
            decoder_heads=config["decoder_attention_heads"],
            embedding_scale=config["d_model"] ** 0.5 if config["scale_embedding"] else 1.0,
            activation=activation,
        )


class Layers(GraphBuilder):
    """Builder of a graph from the layers of a transformer."""

    def __init__(self, weights: Weights, shape: Shape) -> None:
        super().__init__()
        self._weights = weights
        self._shape = shape

    def fused(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return self.node(operator, *inputs, domain=FUSED, **attributes)

    def array(self, value: Any) -> str:
        return self.constant(value, "float32")

    def embed(self, ids: str) -> str:
        table = self._weights.token_table() * self._shape.embedding_scale
        return self.node("Gather", self.array(table), ids)

    def position_table(self) -> str:
        return self.constant(self._weights.positions(), "float32", name=POSITIONS)

    def linear(self, values: str, matrix: Any, bias: Any) -> str:
        return self.node("Add", self.node("MatMul", values, self.array(matrix)), self.array(bias))

    def project_and_normalise(self, values: str, skipped: str, linear: str, norm: str) -> str:
        """Append the end of each half of a layer: a projection, the residual and the norm."""
        projected = self.linear(values, *self._weights.linear(linear))
        scale, shift = map(self.array, self._weights.norm(norm))
        total = self.node("Sum", skipped, projected)
        return self.node("LayerNormalization", total, scale, shift)

    def feed_forward(self, values: str, layer: str) -> str:
        matrix, bias = self._weights.linear(f"{layer}.fc1")
        activation = self._shape.activation
        if activation == "gelu":
            product = self.node("MatMul", values, self.array(matrix))
            inner = self.fused("BiasGelu", product, self.array(bias))
        elif activation == "relu":
            inner = self.node("Relu", self.linear(values, matrix, bias))
        else:
            inner = self.fused("QuickGelu", self.linear(values, matrix, bias), alpha=1.0)
        return self.project_and_normalise(
            inner, values, f"{layer}.fc2", f"{layer}.final_layer_norm"
        )

    def model(self, inputs: list[Any], outputs: list[Any]) -> Any:
        from onnx import helper

        graph = helper.make_graph(
            self.nodes, "fused", inputs, outputs, self.initializers(self.nodes)
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)
