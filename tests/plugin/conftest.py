"""Projects to run the plugin in, and one run that many tests look at."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.plugin.small_project import Outcome, Project

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
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("infperf-cache")


@pytest.fixture(autouse=True)
def _no_worker_of_xdist(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whose workers pytest-benchmark refuses to measure, also in a run of its own."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture
def project(pytester: pytest.Pytester, shared_cache: Path) -> Project:
    """A project of one's own, to change and to measure."""
    return Project(pytester.path, shared_cache, pytester)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """One run of everything, with a gate that one variant breaks: only to look at."""
    project = Project(tmp_path_factory.mktemp("measured"), shared_cache)
    project.thresholds(
        """
        [echo.gates]
        accuracy = { min = 90 }
        speedup = { min = 1.5 }
        [echo.variants.fast]
        size = { max_ratio = 1.1 }
        """
    )
    return project.measure("--benchmark-json=benchmark.json", "-v")
