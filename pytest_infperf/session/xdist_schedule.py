"""A schedule for pytest-xdist that runs all tests of the suites in order on one worker.

xdist's own groups require a mark on each test, and they change node ids, so that users cannot copy
them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadGroupScheduling

from pytest_infperf.session.xdist import is_measured_alone


class OneWorkerMeasures(LoadGroupScheduling):  # type: ignore[misc]  # untyped base
    """Schedules measuring tests as one group, and distributes the others as usual.

    Measuring tests are those beside a suite.py, and those in a file with `infperf_benchmark`.
    """

    def _split_scope(self, nodeid: str) -> str:
        if _measures(self.config.rootpath / nodeid.partition("::")[0]):
            return "infperf"
        return str(super()._split_scope(nodeid))


@cache
def _measures(test_file: Path) -> bool:
    return is_measured_alone(test_file)
