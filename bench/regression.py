"""How often `--infperf-against HEAD~1` finds a commit that makes every query 5 % slower.

The benchmark makes a clone of this repository, with real commits, and runs pytest as a user does:
on the slower commit and on its revert. For comparison it measures the same commits in two separate
runs and compares them with `pytest-benchmark compare`. The slowdown is repeated tokenising work, so
that it remains 5 % when the host's speed changes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from bench.finding import Finding

ROOT = Path(__file__).parents[1]
SUITE = "suites/translation"
VARIANT = "distilled-fastest"
SLOWDOWN = 0.05
LIMIT = "2 %"
FIRST_TRY = 100
"""Initial number of repeated lookups of each piece; they take about 10 % of a query."""
RUNS = 10
TOKENISER = "pytest_infperf/tasks/marian.py"
LOOKUP = "        ids, unknown = self._ids, self._unknown\n"
LOOKED_UP_AGAIN = """        for _ in range({times}):
            [ids.get(piece, unknown) for piece in pieces]
"""
THRESHOLDS = f"""schema = 1
[defaults]
budget_s = 40
[translation.variants.{VARIANT}]
regression = {{ max = "{LIMIT}" }}
"""

Comparison = tuple[str, str]
"""A tag, and the revision that it is compared with."""
EXPECTED: dict[Comparison, str] = {
    ("slower", "HEAD~1"): "fail",
    ("reverted", "HEAD~1"): "pass",
    ("reverted", "HEAD~2"): "pass",
}
"""The correct verdict of each comparison; the last one compares equal code."""


@dataclass(frozen=True)
class Clone:
    """A clone with three more commits: tagged `as-it-is`, `slower` and `reverted`."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Clone:
        subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder], check=True)
        clone = cls(folder)
        (folder / "limits.toml").write_text(THRESHOLDS)
        clone.git("checkout", "--quiet", "--detach")
        clone.commit("Set a limit", "as-it-is")
        clone.commit_slowdown()
        clone.git("revert", "--no-edit", "HEAD")
        clone.git("tag", "reverted")
        return clone

    def commit_slowdown(self) -> None:
        """Commit slower tokenising, with lookups that take 5 % of a query in paired runs."""
        source = (self.folder / TOKENISER).read_text("utf-8")
        assert LOOKUP in source, f"{TOKENISER} has changed: adapt LOOKUP in {__file__}"

        def slower(times: int) -> str:
            return source.replace(LOOKUP, LOOKUP + LOOKED_UP_AGAIN.format(times=times))

        (self.folder / TOKENISER).write_text(slower(FIRST_TRY), "utf-8")
        self.commit("Look every piece up again", "first-try")
        slowdown = median(
            self.measure("first-try", "--infperf-against=HEAD~1", f"--infperf-seed={seed}")[
                "measures"
            ]["regression"]["value"]
            for seed in range(5)
        )
        times = round(FIRST_TRY * SLOWDOWN / slowdown)
        print(f"{times} more lookups take {SLOWDOWN:.0%} of a query", flush=True)
        self.git("reset", "--quiet", "--hard", "as-it-is")
        (self.folder / TOKENISER).write_text(slower(times), "utf-8")
        self.commit("Look every piece up again", "slower")

    def measure(self, revision: str, *options: str) -> dict[str, Any]:
        """Run pytest at a revision and return the variant's record."""
        self.git("checkout", "--quiet", revision)
        path = self.folder / "infperf.json"
        path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "--infperf", SUITE, "-k", "latency"]
        selection = [f"--infperf-variants={VARIANT}", f"--infperf-baseline={VARIANT}"]
        files = ["--infperf-thresholds=limits.toml", f"--infperf-json={path}"]
        cache = f"--infperf-cache={ROOT / '.infperf_cache'}"
        done = subprocess.run(
            [*command, *selection, *files, cache, *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if not path.exists():
            raise RuntimeError(f"{' '.join(options)} at {revision}:\n{done.stdout}{done.stderr}")
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))["records"][0]
        return record

    def median_s(self, name: str) -> float:
        """Return the median of a saved run, as `pytest-benchmark compare` shows it, in seconds."""
        (path,) = (self.folder / ".benchmarks").glob(f"*/*_{name}.json")
        (benchmark,) = json.loads(path.read_text("utf-8"))["benchmarks"]
        return float(benchmark["stats"]["median"])

    def show_comparison(self, *names: str) -> None:
        paths = [
            str(next((self.folder / ".benchmarks").glob(f"*/*_{name}.json"))) for name in names
        ]
        columns = ["--columns=min,median,mean,max,rounds", "--name=short", "--sort=name"]
        command = [sys.executable, "-m", "pytest_benchmark", "compare", *columns, *paths]
        subprocess.run(command, cwd=self.folder, check=True)

    def commit(self, message: str, tag: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        self.git("tag", tag)

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True
        )


def findings() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        clone = Clone.make(Path(folder, "clone"))
        records: dict[Comparison, list[dict[str, Any]]] = {
            comparison: [] for comparison in EXPECTED
        }
        separate: dict[str, list[float]] = {"slower": [], "reverted": []}
        seconds: list[float] = []
        for run in range(RUNS):
            seed = f"--infperf-seed={run}"
            clone.measure("as-it-is", seed, f"--benchmark-save=as-it-is-{run}")
            for (revision, before), measured in records.items():
                start = perf_counter()
                measured.append(clone.measure(revision, seed, f"--infperf-against={before}"))
                seconds.append(perf_counter() - start)
            for revision, changes in separate.items():
                clone.measure(revision, seed, f"--benchmark-save={revision}-{run}")
                medians = (clone.median_s(f"{name}-{run}") for name in (revision, "as-it-is"))
                changes.append(truediv(*medians) - 1)
        clone.show_comparison("as-it-is-0", "slower-0")
    for (revision, before), measured in records.items():
        changes = [record["measures"]["regression"]["value"] for record in measured]
        verdicts = [record["gates"][0]["verdict"] for record in measured]
        expected = EXPECTED[revision, before]
        yield Finding(
            f"{revision}: verdict {expected} of --infperf-against {before}, limit {LIMIT}",
            verdicts.count(expected),
            f"of {RUNS} runs",
            limit=RUNS,
            at_least=True,
            detail=f"{' '.join(verdicts)}; regression {_range(changes)}, "
            f"at most {max(seconds):.0f} s per run",
        )
    for revision, changes in separate.items():
        yield Finding(
            f"{revision}: two separate runs compared by pytest-benchmark, largest error",
            100 * max(abs(c - SLOWDOWN * (revision == "slower")) for c in changes),
            "percentage points",
            limit=float("inf"),
            detail=f"for comparison, no limit; change from as-it-is {_range(changes)}: "
            + " ".join(f"{change:+.1%}" for change in changes),
        )


def _range(changes: list[float]) -> str:
    return f"{min(changes):+.1%} to {max(changes):+.1%}"
