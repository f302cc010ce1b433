"""Measuring on the nodes of a Ray cluster. Only `connection` imports Ray itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_infperf.fleet.session import FleetSession
    from pytest_infperf.fleet.sets import SharedSets
    from pytest_infperf.report.progress import Progress
    from pytest_infperf.settings import Settings


def measuring_session(
    config: pytest.Config, settings: Settings, progress: Progress
) -> FleetSession | None:
    """Return the session of a run whose tests run on nodes, or None if they run on this host.

    Raises UserError if there is no cluster, or if an option does not work with one.
    """
    if not settings.ray or settings.ray_quality:
        return None
    from pytest_infperf.fleet.options import node_options
    from pytest_infperf.fleet.session import FleetSession

    return FleetSession(settings, node_options(config), progress, config.hook)


def shared_sets(settings: Settings) -> SharedSets | None:
    """Return the runner of quality sets on nodes, or None if this host runs them.

    Raises UserError if there is no cluster.
    """
    if not settings.ray or not settings.ray_quality:
        return None
    from pytest_infperf.fleet.cluster import RayCluster
    from pytest_infperf.fleet.sets import SharedSets

    return SharedSets(RayCluster(settings.ray), settings)
