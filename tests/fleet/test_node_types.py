"""The node types of a cluster, from Ray's list of its nodes."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.fleet.node_types import NodeType, count_live_nodes, node_types


def node(*, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": 2.0, "memory": 1e9, **resources}}


def test_nodes_are_counted_by_type_and_nodes_without_one_are_ignored() -> None:
    large, small = {"instance:c7i.large": 1.0}, {"instance:c7g.medium": 1.0}
    nodes = [node(**large), node(), node(**small), node(**large)]
    found = node_types(nodes)
    assert found == {
        "c7g.medium": NodeType("c7g.medium", 1.0),
        "c7i.large": NodeType("c7i.large", 1.0),
    }
    assert count_live_nodes(nodes, found) == {"c7g.medium": 1, "c7i.large": 2}
    assert found["c7i.large"].resource == "instance:c7i.large"


def test_dead_nodes_do_not_count() -> None:
    nodes = [node(**{"instance:a": 1.0}), node(alive=False, **{"instance:a": 1.0})]
    assert count_live_nodes(nodes, node_types(nodes)) == {"a": 1}
    assert node_types([node(alive=False, **{"instance:a": 1.0})]) == {}


def test_a_node_that_a_delegate_would_share_is_refused() -> None:
    with pytest.raises(UserError, match=r"have \[1.0, 2.0\] of instance:a; give each of them 1"):
        node_types([node(**{"instance:a": 1.0}), node(**{"instance:a": 2.0})])
