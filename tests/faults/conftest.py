"""Write the outcome of every cell to docs/reliability.md, at the end of a run of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cells import CELLS
from tests.faults.page import write_table

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
_outcomes: dict[tuple[str, str], str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    properties = {name: str(value) for name, value in report.user_properties}
    if report.when == "teardown" and "outcome" in properties:
        _outcomes[properties["stage"], properties["fault"]] = properties["outcome"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    is_controller = not hasattr(session.config, "workerinput")
    if is_controller and len(_outcomes) == len(CELLS):
        write_table(PAGE, _outcomes)
