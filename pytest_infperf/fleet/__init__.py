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
    """The session of a run whose tests run elsewhere; None where they run here.

    Raises UserError for what does not go together, and when there is no cluster.
    """
    if not settings.ray or settings.ray_quality:
        return None
    from pytest_infperf.fleet.options import options_there
    from pytest_infperf.fleet.session import FleetSession

    return FleetSession(settings, options_there(config), progress, config.hook)


def shared_sets(settings: Settings) -> SharedSets | None:
    """Who runs the quality sets of a run that shares them out; None where they are run here.

    Raises UserError when there is no cluster.
    """
    if not settings.ray or not settings.ray_quality:
        return None
    from pytest_infperf.fleet.cluster import RayCluster
    from pytest_infperf.fleet.sets import SharedSets

    cluster = RayCluster(settings.ray)
    return SharedSets(cluster, cluster.ship, cluster.close, settings)
