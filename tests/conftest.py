"""Settings of all tests: pytester, hypothesis without a deadline, a time limit, and snapshots."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from syrupy.assertion import SnapshotAssertion

from tests.snapshots import TextFile
from tests.weights import skip_without_weights

pytest_plugins = ["pytester"]

# An example may take long on a busy host; that is no defect.
settings.register_profile("infperf", deadline=None)
settings.load_profile("infperf")

LONGEST_S = 300
"""Time limit of one test with its fixtures, in seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """End a test of this folder that hangs, and skip those that need weights without them.

    Not `timeout` in pyproject.toml: that would also end the measurements of suites/, some of which
    take an hour, and is an unknown key where only the `suites` extra is installed.
    """
    own = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in own:
        item.add_marker(pytest.mark.timeout(LONGEST_S))
    skip_without_weights(own)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return the snapshot of this test: a text, to be compared with `==`."""
    return snapshot.use_extension(TextFile)


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Give SIGTERM and SIGHUP their default handlers, whatever an imported package has set."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    yield
    for number, handler in before.items():
        if handler is not None:  # one that is not of Python
            signal.signal(number, handler)
