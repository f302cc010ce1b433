"""The fixtures `infperf` (the run), `variant` (one variant of the suite beside the test) and
`infperf_benchmark` (any function)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infperf.options import enabled

if TYPE_CHECKING:
    from pytest_infperf.run.run import Run
    from pytest_infperf.run.variant import Variant
    from pytest_infperf.session.param import VariantParam

RUN = pytest.StashKey["Run"]()
BENCHMARK = pytest.StashKey["VariantParam"]()
"""What a test that takes `infperf_benchmark` measures."""
CALLED = pytest.StashKey[bool]()
"""Whether the test has called its `infperf_benchmark`."""


def takes_variant(test: object) -> bool:
    """Return whether a test's `variant` is the fixture of this plugin, or one that requests it.

    A test may have a parameter or a fixture of its own with that name.
    """
    definitions = getattr(getattr(test, "_fixtureinfo", None), "name2fixturedefs", {})
    for definition in reversed(definitions.get("variant", ())):
        if definition.func.__module__ == __name__:
            return True
        if "variant" not in definition.argnames:  # a fixture that does not request the plugin's
            return False
    return False


def takes_benchmark(test: object) -> bool:
    """Return whether a test or one of its fixtures requests `infperf_benchmark`."""
    return "infperf_benchmark" in getattr(test, "fixturenames", ())


@pytest.fixture
def infperf(request: pytest.FixtureRequest) -> Run:
    """The run that measures: its settings, thresholds, host and records."""
    if not enabled(request.config):
        pytest.skip("inference is measured with --infperf only")
    return request.config.stash[RUN]


@pytest.fixture
def variant(request: pytest.FixtureRequest, infperf: Run) -> Variant:
    """One variant of the suite whose suite.py lies beside the test, run by its worker."""
    from pytest_infperf.errors import HardwareMissing, UserError, WorkerError
    from pytest_infperf.session.benchmark_table import BenchmarkTable

    param: VariantParam | None = getattr(request, "param", None)
    if param is None:
        pytest.fail(
            f"{request.path} uses the `variant` fixture, but there is no suite.py beside it",
            pytrace=False,
        )
    with_benchmark = request.config.pluginmanager.hasplugin("benchmark")
    table = BenchmarkTable(request, param.configured.suite.name, available=with_benchmark)
    try:
        return infperf.variant(param.configured, param.variant_id, table, request.node.nodeid)
    except HardwareMissing as missing:
        pytest.skip(str(missing))
    except (UserError, WorkerError) as failure:
        # Without its context, whose message is the same.
        raise pytest.fail.Exception(str(failure), pytrace=False) from None


@pytest.fixture
def infperf_benchmark(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Call `infperf_benchmark(function, *args, **kwargs)` to get the function's result.

    With --infperf such calls are also measured in a worker, and judged by the limits.
    """
    test: pytest.Item = request.node
    test.stash[CALLED] = False

    def call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if test.stash[CALLED]:
            pytest.fail(
                "infperf_benchmark was called twice in one test, whose name is that of one "
                "function's measures: write a test for each, or use pytest.mark.parametrize",
                pytrace=False,
            )
        test.stash[CALLED] = True
        return measure(function, args, kwargs) if measure else function(*args, **kwargs)

    measure = _call_measurement(request) if enabled(request.config) else None
    return call


def _call_measurement(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return what measures the function of a test that takes `infperf_benchmark`."""
    from functools import partial

    from pytest_infperf.session import xdist
    from pytest_infperf.session.benchmark_table import BenchmarkTable
    from pytest_infperf.session.benchmarks import measure_call

    test: pytest.Item = request.node
    if "variant" in request.fixturenames:
        pytest.fail("a test takes `variant` or `infperf_benchmark`, and not both", pytrace=False)
    if (param := test.stash.get(BENCHMARK, None)) is None:
        pytest.skip("functions of infperf_benchmark are not measured on a cluster (--infperf-ray)")
    if xdist.is_worker(request.config) and not xdist.is_measured_alone(request.path):
        pytest.fail(
            f"{request.path} does not name infperf_benchmark, which one of its fixtures takes, so "
            "that -n may measure it beside another: name it in the test, or leave -n out",
            pytrace=False,
        )
    with_benchmark = request.config.pluginmanager.hasplugin("benchmark")
    table = BenchmarkTable(request, param.configured.suite.name, available=with_benchmark)
    return partial(measure_call, request.config.stash[RUN], param, table, test.nodeid)
