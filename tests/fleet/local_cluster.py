"""A Ray cluster of several nodes on this host, and projects to measure on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.small_project import Project

ROOT = Path(__file__).parents[2]

NODE_TYPES = ("a.large", "b.large")
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 300,
    "health_check_failure_threshold": 3,
}
"""Settings with which Ray notices a lost node within 1 s, instead of 15 s."""
SMALL = {"num_cpus": 0, "object_store_memory": 80 * 1024**2, "include_dashboard": False}
FEW_PLUGINS = {
    "PYTHONPATH": str(ROOT),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "pytest_infperf.plugin,pytest_benchmark.plugin",
}
"""Environment without other installed plugins, which take seconds to import in each process."""


@dataclass
class LocalCluster:
    """Ray's processes of several nodes, one of which is the head."""

    ray: Any
    folder: Path
    """Folder of the nodes' trees and artifacts."""

    @property
    def address(self) -> str:
        return str(self.ray.address)

    def add(self, node_type: str) -> Any:
        with shell(self.folder):
            return self.ray.add_node(resources={f"instance:{node_type}": 1}, wait=False, **SMALL)

    def kill(self, node_id: str) -> None:
        node = next(node for node in self.ray.worker_nodes if node.node_id == node_id)
        self.ray.remove_node(node, allow_graceful=False)


@contextmanager
def shell(folder: Path) -> Iterator[None]:
    """Set the environment of a node and of the processes that it runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            patch.delenv(name)
        for name, value in FEW_PLUGINS.items():
            patch.setenv(name, value)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("INFPERF_NODE_FOLDER", str(folder))
        yield


def small(folder: Path, cache: Path) -> Project:
    return Project(folder, cache, environment=dict(FEW_PLUGINS))
