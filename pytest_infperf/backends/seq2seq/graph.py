"""Builds ONNX graphs node by node, so that the modules that fuse and compose read like the maths.

Constants are kept once for equal contents, also across subgraphs, which see those of the graph
around them: three exported graphs of one model share their weights when they become one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_infperf.errors import BuildError


class GraphBuilder:
    """Nodes in order, and the constants they use; a subgraph's constants live in its parent."""

    def __init__(self, parent: GraphBuilder | None = None, prefix: str = "") -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {} if parent is None else parent.constants
        self._by_content: dict[bytes, str] = {} if parent is None else parent._by_content
        self._prefix = prefix

    def node(
        self, operator: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """Append a node; the name of its first output."""
        return self.node_with_outputs(
            operator,
            inputs,
            [output] if output else self.output_names(operator, 1),
            domain=domain,
            **attributes,
        )[0]

    def node_with_outputs(
        self,
        operator: str,
        inputs: Iterable[str],
        outputs: list[str],
        domain: str = "",
        **attributes: Any,
    ) -> list[str]:
        """Append a node with outputs of the given names."""
        from onnx import helper

        self.nodes.append(
            helper.make_node(
                operator, list(inputs), outputs, name=outputs[0], domain=domain, **attributes
            )
        )
        return outputs

    def output_names(self, operator: str, count: int) -> list[str]:
        """Names for the outputs of the node that comes next."""
        return [f"{self._prefix}{operator}_{len(self.nodes)}_{index}" for index in range(count)]

    def constant(self, value: Any, dtype: str = "int64", name: str = "") -> str:
        """The name of a constant with this value."""
        import numpy
        from onnx import numpy_helper

        array = numpy.ascontiguousarray(numpy.asarray(value, dtype=dtype))
        return self.keep_tensor(numpy_helper.from_array(array.reshape(numpy.shape(value)), name))

    def keep_tensor(self, tensor: Any) -> str:
        """Keep an onnx tensor, or find one with equal contents; the name it has here."""
        from onnx import TensorProto, numpy_helper

        array = numpy_helper.to_array(tensor)
        content = hashlib.sha256(f"{tensor.data_type} {array.shape} ".encode())
        content.update(array.tobytes())
        known = self._by_content.get(content.digest())
        if known is not None:
            return known
        name = tensor.name or f"constant_{len(self.constants)}"
        while name in self.constants:
            name += "_"
        kept = TensorProto()
        kept.CopyFrom(tensor)
        kept.name = name
        self.constants[name] = kept
        self._by_content[content.digest()] = name
        return name

    def add_graph(self, graph: Any, prefix: str, given: Mapping[str, str]) -> dict[str, str]:
        """Append another graph's nodes, with its inputs given by name; its outputs' names."""
        from onnx import NodeProto

        names = {value.name: given[value.name] for value in graph.input}
        names |= {tensor.name: self.keep_tensor(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                names[node.output[0]] = self.keep_tensor(_value_of(node))
                continue
            if any(attribute.HasField("g") for attribute in node.attribute):
                raise BuildError(f"{node.name}: a subgraph in an exported graph is not supported")
            copy = NodeProto()
            copy.CopyFrom(node)
            copy.name = f"{prefix}/{node.name}"
            names |= {name: f"{prefix}/{name}" for name in node.output if name}
            for index, name in enumerate(node.input):
                copy.input[index] = names[name] if name else ""
            for index, name in enumerate(node.output):
                copy.output[index] = names[name] if name else ""
            self.nodes.append(copy)
        return {value.name: names[value.name] for value in graph.output}

    def initializers(self, nodes: Iterable[Any]) -> list[Any]:
        """The constants that the nodes use, also inside their subgraphs."""
        used = set(_inputs(nodes))
        return [tensor for name, tensor in self.constants.items() if name in used]


def _inputs(nodes: Iterable[Any]) -> Iterable[str]:
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _inputs(attribute.g.node)


def _value_of(constant: Any) -> Any:
    from onnx import numpy_helper
    from onnx.helper import get_attribute_value

    attribute = constant.attribute[0]
    value = get_attribute_value(attribute)
    if attribute.name == "value":
        return value
    import numpy

    dtype = {"value_int": "int64", "value_ints": "int64"}.get(attribute.name, "float32")
    return numpy_helper.from_array(numpy.asarray(value, dtype=dtype))
