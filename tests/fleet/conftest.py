"""The Ray cluster that all tests of the fleet share."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.fleet.local_cluster import HEALTH, NODE_TYPES, SMALL, LocalCluster, Project, shell, small

# A run in this process forgets what it imported. Public names would then be of modules that are
# gone, and numpy must not be imported twice.
for module in (
    "pytest_infperf.backends.fake",
    "pytest_infperf.fleet.session",
    "pytest_infperf.metrics.accuracy",
    "pytest_infperf.tasks.echo",
    "scipy.stats",
):
    import_module(module)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster of two node types with two nodes each.

    The head, whose loss no run survives, is of the second type.
    """
    folder = tmp_path_factory.mktemp("nodes")
    with shell(folder):
        ray = import_module("ray.cluster_utils").Cluster(
            initialize_head=True,
            head_node_args={
                "resources": {f"instance:{NODE_TYPES[1]}": 1},
                "_system_config": HEALTH,
                **SMALL,
            },
        )
    local = LocalCluster(ray, folder)
    for node_type in (NODE_TYPES * 2)[:-1]:
        local.add(node_type)
    ray.wait_for_nodes()
    yield local
    ray.shutdown()


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("infperf-cache")


@pytest.fixture
def project(tmp_path: Path, shared_cache: Path) -> Project:
    return small(tmp_path, shared_cache)
