"""The work of a measuring run: the tests for a node type, in a pytest process on one node."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_infperf.fleet import reports
from pytest_infperf.fleet.options import NO_CACHE
from pytest_infperf.fleet.reports import Reports
from pytest_infperf.fleet.work import Node
from pytest_infperf.host.processes import OutputTail, how_it_ended


@dataclass(frozen=True)
class TestsRun:
    """Result of a measuring run. The records are in the reports."""

    reports: Reports
    ending: str
    """How the process ended, with the end of its output."""

    __test__ = False


@dataclass(frozen=True)
class MeasuringRun:
    """Runs the selected tests in the tree that was shipped."""

    root: str
    """Root of the project, relative to the top of the tree."""
    options: Sequence[str]
    tests: Sequence[str]
    """Node ids of the tests."""
    cache: str | None
    """Folder of built variants; None for the folder of the node."""

    def do(self, node: Node) -> TestsRun:
        with tempfile.TemporaryDirectory(prefix="infperf-run-") as scratch:
            return self._run(node, Path(scratch))

    def _run(self, node: Node, scratch: Path) -> TestsRun:
        report_file, selection = scratch / "reports.jsonl", scratch / "tests.txt"
        selection.write_text("".join(f"{test}\n" for test in self.tests), encoding="utf-8")
        output = OutputTail()
        cache = [] if NO_CACHE in self.options else ["-o", f"cache_dir={scratch / 'pytest-cache'}"]
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-p", reports.__name__, *self.options),
                    *cache,
                    f"--infperf-cache={self.cache or node.artifacts}",
                    f"@{selection}",
                ],
                cwd=node.tree / self.root,
                env={**os.environ, reports.FILE_VARIABLE: str(report_file)},
                stdin=subprocess.DEVNULL,
                stdout=output.file,
                stderr=subprocess.STDOUT,
                check=False,
            )
            ending = f"pytest {how_it_ended(done.returncode)} on the node{output}"
            return TestsRun(reports.read(report_file), ending)
        finally:
            output.close()
