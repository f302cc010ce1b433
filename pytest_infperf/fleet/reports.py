"""Reports of tests on a node, written by a pytest plugin there and read by the node's delegate.

They are sent in pytest's serialised form, as pytest-xdist's workers do.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
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
    """Contents of a report file, which is incomplete if the run was."""

    by_test: dict[str, list[Report]] = field(default_factory=dict)
    """Reports of a test, in their order, by node id."""
    collection_errors: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    time_s: dict[str, float] = field(default_factory=dict)
    """Time of the run by activity, in seconds."""


def read(path: Path) -> Reports:
    """Read a report file up to its last complete line; a missing file counts as empty."""
    reports = Reports()
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:  # the last line of a process that was killed
            continue
        if "report" in entry:
            report = entry["report"]
            reports.by_test.setdefault(report["nodeid"], []).append(report)
        reports.collection_errors += entry.get("collection_errors", [])
        reports.notices += entry.get("notices", [])
        reports.time_s |= entry.get("time_s", {})
    return reports


def failed_setup(message: str) -> list[Report]:
    """Return the reports of a test that fails with the message before it runs."""
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
        {**common, "when": "setup", "outcome": "failed", "longrepr": message},
        {**common, "when": "teardown", "outcome": "passed", "longrepr": None},
    ]


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get(FILE_VARIABLE)
    if path and not hasattr(config, "workerinput"):
        die_with_parent()
        file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 (closed at the end)
        config.add_cleanup(file.close)
        config.pluginmanager.register(ReportWriter(config, file), "infperf-reports")


class ReportWriter:
    """The hooks that write the report file."""

    def __init__(self, config: pytest.Config, file: TextIO) -> None:
        self._config = config
        self._file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._write({"report": data})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write({"collection_errors": [f"{report.nodeid}: {report.longreprtext}"]})

    def pytest_unconfigure(self) -> None:
        measuring = self._config.pluginmanager.getplugin("infperf-measuring")
        if measuring:
            session = measuring.session
            self._write({"notices": list(session.notices), "time_s": session.time_s()})

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, default=str) + "\n")
        self._file.flush()
