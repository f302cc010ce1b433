"""Lookup of a Marian model's weights in its exported graphs, for the graphs that fusing builds.

The exporter keeps the names of biases and tables, and drops those of matrices. A matrix is found by
its bias: MatMul, then Add.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_infperf.errors import BuildError

POSITIONS = "embed_positions"


class Weights:
    """The weights of one exported graph, as numpy arrays by their names in torch."""

    def __init__(self, graph: Any) -> None:
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            # The exporter stores equal weights once, and adds an Identity for each other name.
            if node.op_type == "Identity" and node.input[0] in self._tensors:
                self._tensors[node.output[0]] = self._tensors[node.input[0]]
        self._graph = graph
        self._producers = {name: node for node in graph.node for name in node.output}

    def table(self, suffix: str) -> Any:
        """Return the only tensor whose name ends with this suffix, after a full stop."""
        from onnx import numpy_helper

        names = [name for name in self._tensors if f".{name}".endswith(f".{suffix}")]
        if len(names) != 1:
            raise _unlike_marian(f"has {len(names)} tensors named *{suffix}")
        return numpy_helper.to_array(self._tensors[names[0]])

    def linear(self, suffix: str) -> tuple[Any, Any]:
        """Return the matrix, shape [inputs, outputs], and the bias of a linear layer."""
        return self._matrix_beside(f"{suffix}.bias"), self.table(f"{suffix}.bias")

    def side_by_side(self, suffixes: Sequence[str]) -> tuple[Any, Any]:
        """Return linear layers with a common input as one linear layer."""
        import numpy

        matrices, biases = zip(*map(self.linear, suffixes), strict=True)
        return numpy.concatenate(matrices, axis=1), numpy.concatenate(biases)

    def packed(self, attention: str) -> tuple[Any, Any]:
        """Return query, key and value of an attention as one linear layer."""
        return self.side_by_side([f"{attention}.{part}_proj" for part in "qkv"])

    def head(self) -> tuple[Any, Any]:
        """Return the matrix and the bias of the logits."""
        bias = "final_logits_bias"
        return self._matrix_beside(bias), self.table(bias).reshape(-1)

    def norm(self, suffix: str) -> tuple[Any, Any]:
        return self.table(f"{suffix}.weight"), self.table(f"{suffix}.bias")

    def positions(self) -> Any:
        """Return the embeddings of positions."""
        return self.table(f"{POSITIONS}.weight")

    def token_table(self) -> Any:
        """Return the embeddings of tokens, before scaling."""
        from onnx import numpy_helper

        for node in self._graph.node:
            table = self._tensors.get(node.input[0]) if node.op_type == "Gather" else None
            if table is not None and len(table.dims) == 2 and POSITIONS not in node.input[0]:
                return numpy_helper.to_array(table)
        raise _unlike_marian("has no lookup of token embeddings")

    def epsilon(self) -> float:
        """Return the epsilon of the layer normalisations, which is equal in the whole model."""
        for node in self._graph.node:
            if node.op_type == "LayerNormalization":
                for attribute in node.attribute:
                    if attribute.name == "epsilon":
                        return float(attribute.f)
                return 1e-5
        raise _unlike_marian("has no LayerNormalization")

    def _matrix_beside(self, suffix: str) -> Any:
        from onnx import numpy_helper

        for add in self._graph.node:
            if add.op_type != "Add" or not any(f".{i}".endswith(f".{suffix}") for i in add.input):
                continue
            for name in add.input:
                product = self._producers.get(name)
                if product is not None and product.op_type == "MatMul":
                    return numpy_helper.to_array(self._tensors[product.input[1]])
        raise _unlike_marian(f"has no MatMul before the Add of *{suffix}")


def _unlike_marian(finding: str) -> BuildError:
    return BuildError(
        f"only MarianMT as optimum exports it can be fused, and this graph {finding};"
        " use the unfused variant of this model"
    )
