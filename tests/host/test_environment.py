"""Tools that trace or profile pytest do not affect measured processes, or are named."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.host.environment import refuse_observers, without_observers
from pytest_infperf.host.processes import child_environment


@pytest.mark.parametrize(
    "name",
    [
        "COVERAGE_PROCESS_START",
        "COVERAGE_PROCESS_CONFIG",
        "COV_CORE_SOURCE",
        "COV_CORE_DATAFILE",
        "PYTHONPROFILEIMPORTTIME",
        "PYTHONTRACEMALLOC",
        "PYTHONDEVMODE",
        "LINE_PROFILE",
        "CPUPROFILE",
    ],
)
def test_variables_that_start_an_observer_are_removed(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert name not in child_environment()


def test_settings_of_production_stay() -> None:
    environment = {
        "PATH": "/bin",
        "PYTHONMALLOC": "malloc",
        "PYTHONOPTIMIZE": "1",
        "LD_PRELOAD": "/usr/lib/libjemalloc.so.2:/usr/lib/libtcmalloc.so",
        "OMP_NUM_THREADS": "2",
        "http_proxy": "http://proxy:3128",
    }
    assert without_observers(environment) == environment


def test_only_profilers_are_removed_from_preloaded_libraries() -> None:
    both = {"LD_PRELOAD": "/x/libscalene.so /usr/lib/libjemalloc.so.2", "PYTHONMALLOC": "debug"}
    assert without_observers(both) == {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}
    assert without_observers({"LD_PRELOAD": "/x/libprofiler.so.0"}) == {}


def profile_everything(frame: FrameType, event: str, argument: object) -> None:
    pass


def test_a_profiler_that_is_active_is_named() -> None:
    before = sys.getprofile()
    sys.setprofile(profile_everything)
    try:
        with pytest.raises(UserError, match=r"profile_everything \(by sys.setprofile\) slows"):
            refuse_observers()
    finally:
        sys.setprofile(before)
