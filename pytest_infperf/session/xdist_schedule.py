"""A schedule for pytest-xdist that runs all tests of the suites on one worker, in their order.

xdist's own groups need a mark on each test and change its node id, so that users cannot copy it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadGroupScheduling

from pytest_infperf.session.xdist import is_measured_alone


class OneWorkerMeasures(LoadGroupScheduling):  # type: ignore[misc]  # untyped base
    """Schedules tests that measure as one group, and distributes the others as usual.

    These are the tests beside a suite.py, and those in a file that takes `infperf_benchmark`.
    """

    def _split_scope(self, nodeid: str) -> str:
        if _measures(self.config.rootpath / nodeid.partition("::")[0]):
            return "infperf"
        return str(super()._split_scope(nodeid))


@cache
def _measures(test_file: Path) -> bool:
    return is_measured_alone(test_file)
