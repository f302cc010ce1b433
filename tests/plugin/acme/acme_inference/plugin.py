"""A plugin that pytest finds by Acme's entry point. It adds to suites of other projects."""

from __future__ import annotations

from typing import Any

from acme_inference.backend import Acme
from acme_inference.metric import LengthRatio
from pytest_infperf import Backend, Metric, Suite


def pytest_infperf_variants(suite: Suite) -> list[Backend]:
    return [Acme(int8=True)] if suite.name == "echo" else []


def pytest_infperf_metrics(suite: Suite) -> list[Metric]:
    return [LengthRatio()] if suite.name == "echo" else []


def pytest_infperf_host_facts() -> dict[str, Any]:
    return {"acme_license": "trial"}
