"""The outcomes of tests on a node: written there by this plugin of pytest's, read by its delegate.

As pytest-xdist's workers do, reports travel in the form that pytest gives them for that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pytest_infperf.host.processes import die_with_parent

if TYPE_CHECKING:
    import pytest

FILE_VARIABLE = "INFPERF_REPORTS_FILE"
Report = dict[str, Any]


@dataclass
class Reports:
    """What was read from a file, whole or of a run that was cut short."""

    by_test: dict[str, list[Report]] = field(default_factory=dict)
    """By node id, its reports in their order."""
    outside: list[str] = field(default_factory=list)
    """What failed when tests were collected."""
    notices: list[str] = field(default_factory=list)


def read(path: Path) -> Reports:
    found = Reports()
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:  # the last line of a process that was killed
            continue
        if "report" in entry:
            report = entry["report"]
            found.by_test.setdefault(report["nodeid"], []).append(report)
        found.outside += entry.get("outside", [])
        found.notices += entry.get("notices", [])
    return found


def unable(why: str) -> list[Report]:
    """The reports of a test that could not be run."""
    common = {
        "$report_type": "TestReport",
        "nodeid": "",
        "location": ["", None, ""],
        "keywords": {},
        "user_properties": [],
        "sections": [],
        "duration": 0.0,
        "start": 0.0,
        "stop": 0.0,
    }
    return [
        {**common, "when": "setup", "outcome": "failed", "longrepr": why},
        {**common, "when": "teardown", "outcome": "passed", "longrepr": None},
    ]


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(FILE_VARIABLE)
    if path and not hasattr(config, "workerinput"):
        die_with_parent()
        file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 (closed at the end)
        config.add_cleanup(file.close)
        config.pluginmanager.register(Writing(config, file), "infperf-reports")


class Writing:
    def __init__(self, config: pytest.Config, file: TextIO) -> None:
        self._config = config
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._write({"report": data})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write({"outside": [f"{report.nodeid}: {report.longreprtext}"]})

    def pytest_unconfigure(self) -> None:
        measuring = self._config.pluginmanager.getplugin("infperf-measuring")
        notices: Sequence[str] = measuring.session.notices if measuring else ()
        self._write({"notices": list(notices)})

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, default=str) + "\n")
        self._file.flush()
