"""Projects in which tests run the plugin, and one run that many tests inspect."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.plugin.small_project import Outcome, Project

# pytester removes the modules that a run in this process imports. Imported here, they stay: classes
# keep their identity, and numpy is not imported twice, which it does not support.
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
    """Hide xdist from the runs of a test: pytest-benchmark does not measure in its workers."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture
def project(pytester: pytest.Pytester, shared_cache: Path) -> Project:
    """Return a new project that the test may change and measure."""
    return Project(pytester.path, shared_cache, pytester)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Outcome:
    """Return one run of all tests, with a gate that one variant breaks. Do not change it."""
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
