"""A project of a user of the plugin, small enough to be measured in a second or two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from time import perf_counter
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest

from tests.other_plugins import LEFT_OUT

SUITE = """
    from pytest_infperf import Echo, Fake, Suite

    suite = Suite(
        "echo",
        task=Echo(count=40),
        model="../../model",
        baseline="slow",
        variants=[
            Fake(id="fast", query_ms=0.2),
            Fake(id="slow", query_ms=1),
            Fake(id="wrong", query_ms=0.2, wrong=0.5, size_bytes=5000),
        ],
    )
"""
"""A suite whose baseline is not the first variant; the variant `wrong` spoils 25 of 100 outputs."""

CALLS = {
    "latency": "latency()",
    "throughput": "throughput(batch=4)",
    "quality": "quality(batch=4)",
    "footprint": "footprint()",
}
METHODS = tuple(CALLS)

VARIANTS = ("slow", "fast", "wrong")
"""The variants in the order in which they are measured."""


@dataclass
class Outcome:
    """The result of a run and the files that it wrote."""

    result: pytest.RunResult
    folder: Path
    json_path: Path

    def __getattr__(self, name: str) -> Any:
        return getattr(self.result, name)

    @property
    def text(self) -> str:
        return "\n".join([*self.result.outlines, *self.result.errlines])

    @property
    def words(self) -> str:
        """The output without line breaks: messages are wrapped to the width of the terminal."""
        return " ".join(self.text.split())

    @property
    def document(self) -> dict[str, Any]:
        """The file that --infperf-json wrote."""
        document: dict[str, Any] = json.loads(self.json_path.read_text())
        return document

    def record(self, variant: str, suite: str = "echo") -> dict[str, Any]:
        records = [
            record
            for record in self.document["records"]
            if (record["suite"], record["variant"]) == (suite, variant)
        ]
        assert len(records) == 1, f"{len(records)} records of {suite}[{variant}]"
        record: dict[str, Any] = records[0]
        return record

    def measure(self, variant: str, name: str) -> dict[str, Any]:
        measure: dict[str, Any] = self.record(variant)["measures"][name]
        return measure

    def outcomes(self) -> dict[str, str]:
        """Return the outcome of each test by its name: passed, failed, error or skipped."""
        cases = ElementTree.parse(self.folder / "junit.xml").iter("testcase")
        words = {"failure": "failed", "error": "error", "skipped": "skipped"}
        return {
            case.attrib["name"]: next(
                (words[part.tag] for part in case if part.tag in words), "passed"
            )
            for case in cases
        }

    def message(self, test: str) -> str:
        """Return the message in JUnit's file about a test that failed or had an error."""
        for case in ElementTree.parse(self.folder / "junit.xml").iter("testcase"):
            if case.attrib["name"] == test:
                return "\n".join(f"{part.get('message')}\n{part.text}" for part in case)
        raise AssertionError(f"JUnit's file has no test {test}")


@dataclass
class Project:
    """A folder with the suite `echo`, and the ways to run pytest in it."""

    folder: Path
    cache: Path
    """The cache of artifacts, shared by all projects so that most tests need not build."""
    pytester: pytest.Pytester | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write("model/weights.txt", "a model of no weight\n")
        self.write("pytest.ini", f"[pytest]\ninfperf_cache = {self.cache}\n")
        self.suite(SUITE)
        self.only_tests_of(*METHODS)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
        return path

    def suite(self, text: str, folder: str = "suites/echo") -> Path:
        return self.write(f"{folder}/suite.py", text)

    def tests(self, text: str, name: str = "suites/echo/test_echo.py") -> Path:
        return self.write(name, text)

    def thresholds(self, text: str) -> Path:
        return self.write("thresholds.toml", "schema = 1\n" + dedent(text).lstrip("\n"))

    def only_tests_of(self, *methods: str) -> None:
        """Write one test per method, on one line each: its line is its place in `methods`."""
        calls = [f"def test_{name}(variant): variant.{CALLS[name]}.check()" for name in methods]
        self.tests("\n".join(calls) + "\n")

    def command(self, *arguments: str | Path) -> list[str]:
        start = [sys.executable, "-m", "pytest", *LEFT_OUT]
        return [*start, f"--junitxml={self.folder / 'junit.xml'}", *map(str, arguments)]

    def plain(self, *arguments: str | Path) -> Outcome:
        """Run pytest in the project, with no options of the plugin except `arguments`."""
        start = perf_counter()
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        seconds = perf_counter() - start
        result = pytest.RunResult(
            done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), seconds
        )
        return self._outcome(result)

    def measure_here(self, *arguments: str, budget_s: float = 0.3) -> Outcome:
        """Run pytest as `measure` does, but in this process, which saves the imports.

        Tests of the output, or of the end of a run, need a process of their own.
        """
        assert self.pytester
        assert not self.environment
        result = self.pytester.runpytest_inprocess(
            *self.command(*self.measuring(budget_s), *arguments)[3:]
        )
        return self._outcome(result)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a run as the leader of a process group, as in a separate terminal."""
        return subprocess.Popen(
            self.command(*self.measuring(), *arguments),
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Outcome:
        output, _ = process.communicate(timeout=60)
        return self._outcome(pytest.RunResult(process.returncode, output.splitlines(), [], 0.0))

    def workers(self) -> list[psutil.Process]:
        """Return the processes that run or build a variant of this project."""
        workers = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_worker = "pytest_infperf.worker.child" in process.cmdline()
                if is_worker and Path(process.cwd()) == self.folder:
                    workers.append(process)
        return workers

    def collect(self, *arguments: str) -> Outcome:
        """Run pytest in this process up to the end of collection."""
        assert self.pytester
        result = self.pytester.runpytest_inprocess(
            *LEFT_OUT, *self.measuring(), "--collect-only", *arguments
        )
        return self._outcome(result)

    def _outcome(self, result: pytest.RunResult) -> Outcome:
        return Outcome(result, self.folder, self.folder / "infperf.json")

    def measure(self, *arguments: str | Path, budget_s: float = 0.3) -> Outcome:
        return self.plain(*self.measuring(budget_s), *arguments)

    def measuring(self, budget_s: float = 0.3) -> list[str]:
        return ["--infperf", f"--infperf-budget={budget_s}", "--infperf-json=infperf.json"]

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a user's shell, without the variables of the pytest that runs this."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST_", "COV_")) and name not in ("CI", "COLUMNS")
        }
        return {**inherited, "COLUMNS": "100", **self.environment}
