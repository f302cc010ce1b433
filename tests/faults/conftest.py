"""Write the outcome of every cell to docs/reliability.md, as soon as each has run.

Outcomes are kept in pytest's cache, so that the cells can be run in parts; `--cache-clear` forgets
them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cells import CELLS
from tests.faults.page import write_table

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
KEY = "infperf/faults"
_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    properties = {name: str(value) for name, value in report.user_properties}
    if report.when == "teardown" and "outcome" in properties:
        _outcomes[properties["cell"]] = properties["outcome"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    cache = getattr(session.config, "cache", None)  # None with `-p no:cacheprovider`
    if hasattr(session.config, "workerinput") or not cache or not _outcomes:
        return
    outcomes = {**cache.get(KEY, {}), **_outcomes}
    cache.set(KEY, outcomes)
    if outcomes.keys() >= {cell.id for cell in CELLS}:
        write_table(PAGE, outcomes)
