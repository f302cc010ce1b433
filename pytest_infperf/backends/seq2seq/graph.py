"""Construction of ONNX graphs, node by node.

Constants with equal contents are stored once. A subgraph uses the constants of its parent, so that
the exported graphs of a model share their weights in a composed graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_infperf.errors import BuildError


class GraphBuilder:
    """Builder of a graph: its nodes in order, and the constants that they use.

    The constants of a subgraph are stored in its parent.
    """

    def __init__(self, parent: GraphBuilder | None = None, prefix: str = "") -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {} if parent is None else parent.constants
        self._by_content: dict[bytes, str] = {} if parent is None else parent._by_content
        self._prefix = prefix

    def node(
        self, operator: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any
    ) -> str:
        """Append a node; return the name of its first output."""
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
        """Append a node with outputs of these names; return the names."""
        from onnx import helper

        self.nodes.append(
            helper.make_node(
                operator, list(inputs), outputs, name=outputs[0], domain=domain, **attributes
            )
        )
        return outputs

    def output_names(self, operator: str, count: int) -> list[str]:
        """Return unused names for the outputs of the next node."""
        return [f"{self._prefix}{operator}_{len(self.nodes)}_{index}" for index in range(count)]

    def constant(self, value: Any, dtype: str = "int64", name: str = "") -> str:
        """Return the name of a constant with this value."""
        import numpy
        from onnx import numpy_helper

        array = numpy.ascontiguousarray(numpy.asarray(value, dtype=dtype))
        return self.keep_tensor(numpy_helper.from_array(array.reshape(numpy.shape(value)), name))

    def keep_tensor(self, tensor: Any) -> str:
        """Store an ONNX tensor unless one with equal contents is stored; return its name."""
        from onnx import TensorProto, numpy_helper

        array = numpy_helper.to_array(tensor)
        content = hashlib.sha256(f"{tensor.data_type} {array.shape} ".encode())
        content.update(array.tobytes())
        stored = self._by_content.get(content.digest())
        if stored is not None:
            return stored
        name = tensor.name or f"constant_{len(self.constants)}"
        while name in self.constants:
            name += "_"
        copy = TensorProto()
        copy.CopyFrom(tensor)
        copy.name = name
        self.constants[name] = copy
        self._by_content[content.digest()] = name
        return name

    def add_graph(self, graph: Any, prefix: str, inputs: Mapping[str, str]) -> dict[str, str]:
        """Append the nodes of another graph; return the new names of its outputs by the old names.

        `inputs` contains the new names of its inputs by the old names. Raises BuildError if one
        of its nodes has a subgraph.
        """
        from onnx import NodeProto

        names = {value.name: inputs[value.name] for value in graph.input}
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
        """Return the constants that the nodes and their subgraphs use."""
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
