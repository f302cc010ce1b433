"""Hooks for other packages, which implement them as pytest plugins.

Backends, tasks and metrics are classes that follow `pytest_infperf.Backend`, `.Task` and `.Metric`
or `.CorpusMetric`. A suite can use them without a hook; hooks add to the suites of other authors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_infperf.suite.backend import Backend
    from pytest_infperf.suite.metric import AnyMetric
    from pytest_infperf.suite.suite import Suite


@pytest.hookspec
def pytest_infperf_variants(suite: Suite) -> Sequence[Backend]:
    """Return variants to measure in addition to those of a suite.

    .. code-block:: python

        from acme_inference import Acme

        def pytest_infperf_variants(suite):
            return [Acme(int8=True)] if suite.name == "translation" else []
    """
    raise AssertionError("a specification is not called")


@pytest.hookspec
def pytest_infperf_metrics(suite: Suite) -> Sequence[AnyMetric]:
    """Return quality metrics to score in addition to those of a suite's task.

    .. code-block:: python

        from acme_inference import LengthRatio

        def pytest_infperf_metrics(suite):
            return [LengthRatio()] if suite.name == "translation" else []
    """
    raise AssertionError("a specification is not called")


@pytest.hookspec
def pytest_infperf_host_facts() -> dict[str, Any]:
    """Return facts to add to the fingerprint of this host, in JSON types.

    .. code-block:: python

        import os

        def pytest_infperf_host_facts():
            return {"rack": os.environ.get("RACK")}
    """
    raise AssertionError("a specification is not called")
