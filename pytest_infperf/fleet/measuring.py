"""The selected tests on one node: a pytest of its own there, in the tree that was shipped."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_infperf.fleet import reports
from pytest_infperf.fleet.reports import Reports
from pytest_infperf.fleet.work import Node
from pytest_infperf.host.processes import OutputTail, how_it_ended


@dataclass(frozen=True)
class TestsRun:
    """What came of them: the reports hold the records."""

    reports: Reports
    ended: str
    """How the process ended, with the end of its output."""

    __test__ = False


@dataclass(frozen=True)
class MeasuringRun:
    root: str
    """The project's root below the top of the tree."""
    options: Sequence[str]
    tests: Sequence[str]
    """Node ids."""
    cache: str | None
    """Where built variants are kept; None: in the node's own folder."""

    def do(self, node: Node) -> TestsRun:
        with tempfile.TemporaryDirectory(prefix="infperf-run-") as scratch:
            return self._run(node, Path(scratch))

    def _run(self, node: Node, scratch: Path) -> TestsRun:
        file, selection = scratch / "reports.jsonl", scratch / "tests.txt"
        selection.write_text("".join(f"{test}\n" for test in self.tests), encoding="utf-8")
        words = OutputTail()
        try:
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-p", reports.__name__, *self.options),
                    *("-o", f"cache_dir={scratch / 'pytest-cache'}"),
                    f"--infperf-cache={self.cache or node.artifacts}",
                    f"@{selection}",
                ],
                cwd=node.tree / self.root,
                env={**os.environ, reports.FILE_VARIABLE: str(file)},
                stdin=subprocess.DEVNULL,
                stdout=words.file,
                stderr=subprocess.STDOUT,
                check=False,
            )
            return TestsRun(
                reports.read(file), f"pytest {how_it_ended(done.returncode)} there{words}"
            )
        finally:
            words.close()
