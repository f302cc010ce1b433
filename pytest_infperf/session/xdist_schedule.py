"""A schedule for pytest-xdist that runs all tests of the suites on one worker, in their order.

xdist's own groups need a mark on each test and change its node id, so that users cannot copy it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadGroupScheduling

from pytest_infperf.suite.discovery import has_suite_beside


class OneWorkerMeasures(LoadGroupScheduling):  # type: ignore[misc]  # untyped base
    """Schedules tests beside a suite.py as one group, and distributes the others as usual."""

    def _split_scope(self, nodeid: str) -> str:
        if _beside_suite(self.config.rootpath / nodeid.partition("::")[0]):
            return "infperf"
        return str(super()._split_scope(nodeid))


@cache
def _beside_suite(test_file: Path) -> bool:
    return has_suite_beside(test_file)
