"""Kinds of nodes: the instance types that the nodes of a cluster name in a custom resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.errors import UserError

RESOURCE_PREFIX = "instance:"
START = """ray start --address=HEAD:6379 --resources='{"instance:c7i.large": 1}'"""


@dataclass(frozen=True)
class NodeType:
    name: str
    """Such as `c7i.large`."""
    amount: float
    """Of its resource on each node: whoever holds all of it has the node to itself."""

    @property
    def resource(self) -> str:
        return RESOURCE_PREFIX + self.name


def node_types(nodes: Sequence[Mapping[str, Any]]) -> dict[str, NodeType]:
    """The kinds of the nodes that are alive, by name, of rows such as `ray.nodes()` gives.

    Raises UserError when nodes of one kind have different amounts of its resource, for then
    holding the one node's share would not keep others off the other.
    """
    amounts: dict[str, list[float]] = {}
    for node in nodes:
        if node["Alive"]:
            for resource, amount in node["Resources"].items():
                if resource.startswith(RESOURCE_PREFIX):
                    amounts.setdefault(resource.removeprefix(RESOURCE_PREFIX), []).append(amount)
    for name, found in amounts.items():
        if len(set(found)) > 1:
            raise UserError(
                f"--infperf-ray: the nodes of {name} have {sorted(set(found))} of "
                f"{RESOURCE_PREFIX}{name}; give each of them 1: {START}"
            )
    return {name: NodeType(name, found[0]) for name, found in sorted(amounts.items())}


def alive(nodes: Sequence[Mapping[str, Any]], known: Mapping[str, NodeType]) -> dict[str, int]:
    """How many nodes of each known kind are alive now."""
    return {
        node_type.name: sum(
            node["Alive"] and node["Resources"].get(node_type.resource) == node_type.amount
            for node in nodes
        )
        for node_type in known.values()
    }
