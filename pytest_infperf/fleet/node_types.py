"""Node types: the instance types that the nodes of a cluster declare as a custom Ray resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.errors import UserError

RESOURCE_PREFIX = "instance:"
START = """ray start --address=HEAD:6379 --resources='{"instance:c7i.large": 1}'"""


@dataclass(frozen=True)
class NodeType:
    """An instance type with its Ray resource."""

    name: str
    """Instance type, for example `c7i.large`."""
    amount: float
    """Amount of the resource on each node. A delegate reserves all of it, to be alone there."""

    @property
    def resource(self) -> str:
        return RESOURCE_PREFIX + self.name


def node_types(nodes: Sequence[Mapping[str, Any]]) -> dict[str, NodeType]:
    """Return the types of the live nodes by name. `nodes` are rows of `ray.nodes()`.

    Raises UserError if nodes of one type have different amounts of its resource: a delegate that
    reserves the amount of one node would share a larger node with others.
    """
    amounts: dict[str, set[float]] = {}
    for node in nodes:
        if node["Alive"]:
            for resource, amount in node["Resources"].items():
                if resource.startswith(RESOURCE_PREFIX):
                    amounts.setdefault(resource.removeprefix(RESOURCE_PREFIX), set()).add(amount)
    for name, different in amounts.items():
        if len(different) > 1:
            raise UserError(
                f"--infperf-ray: the nodes of {name} have {sorted(different)} of "
                f"{RESOURCE_PREFIX}{name}; give each of them 1: {START}"
            )
    return {name: NodeType(name, amount) for name, (amount,) in sorted(amounts.items())}


def count_live_nodes(
    nodes: Sequence[Mapping[str, Any]], types: Mapping[str, NodeType]
) -> dict[str, int]:
    """Return the number of live nodes of each type. `nodes` are rows of `ray.nodes()`."""
    return {
        node_type.name: sum(
            node["Alive"] and node["Resources"].get(node_type.resource) == node_type.amount
            for node in nodes
        )
        for node_type in types.values()
    }
