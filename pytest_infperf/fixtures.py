"""The fixtures `infperf` (the run) and `variant` (one variant of the suite beside the test)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_infperf.options import enabled

if TYPE_CHECKING:
    from pytest_infperf.run.run import Run
    from pytest_infperf.run.variant import Variant

RUN = pytest.StashKey["Run"]()


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
    from pytest_infperf.session.collection import VariantParam

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
