"""A commit whose tokenising makes every query 5 % slower, found by `--infperf-against HEAD~1`.

In a clone of this repository, with real commits and whole runs of pytest: the slower commit, its
revert, and beside them what two separate runs say of the same two commits through
`pytest-benchmark compare`. The slowdown is work that is done once more, so that it stays 5 % when
the host changes its speed.
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
"""Lookups of every piece: some ten per cent of a query."""
RUNS = 10
TOKENISER = "pytest_infperf/tasks/translation.py"
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
"""A tag, and the revision that it is measured against."""
WANTED: dict[Comparison, str] = {
    ("slower", "HEAD~1"): "fail",
    ("reverted", "HEAD~1"): "pass",
    ("reverted", "HEAD~2"): "pass",
}
"""By comparison the verdict; the last one is of a commit and its like."""


@dataclass(frozen=True)
class Clone:
    """A clone with three commits on top of each other: as it is, slower, and reverted."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Clone:
        subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder], check=True)
        clone = cls(folder)
        (folder / "limits.toml").write_text(THRESHOLDS)
        clone.git("checkout", "--quiet", "--detach")
        clone.commit("Set a limit", "as-it-is")
        clone.plant()
        clone.git("revert", "--no-edit", "HEAD")
        clone.git("tag", "reverted")
        return clone

    def plant(self) -> None:
        """Commit the slower tokenising: as many lookups as a paired run finds to take 5 %."""
        source = (self.folder / TOKENISER).read_text("utf-8")
        assert LOOKUP in source, f"{TOKENISER} has changed: mend this benchmark"

        def slower(times: int) -> str:
            return source.replace(LOOKUP, LOOKUP + LOOKED_UP_AGAIN.format(times=times))

        (self.folder / TOKENISER).write_text(slower(FIRST_TRY), "utf-8")
        self.commit("Look every piece up again", "first-try")
        seen = median(
            self.measure("first-try", "--infperf-against=HEAD~1", f"--infperf-seed={seed}")[
                "measures"
            ]["regression"]["value"]
            for seed in range(5)
        )
        times = round(FIRST_TRY * SLOWDOWN / seen)
        print(f"{times} lookups more take {SLOWDOWN:.0%}", flush=True)
        self.git("reset", "--quiet", "--hard", "as-it-is")
        (self.folder / TOKENISER).write_text(slower(times), "utf-8")
        self.commit("Look every piece up again", "slower")

    def measure(self, revision: str, *options: str) -> dict[str, Any]:
        """The variant's record of a whole run of pytest at a revision."""
        self.git("checkout", "--quiet", revision)
        path = self.folder / "infperf.json"
        path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "--infperf", SUITE, "-k", "latency"]
        chosen = [f"--infperf-variants={VARIANT}", f"--infperf-baseline={VARIANT}"]
        files = ["--infperf-thresholds=limits.toml", f"--infperf-json={path}"]
        cache = f"--infperf-cache={ROOT / '.infperf_cache'}"
        done = subprocess.run(
            [*command, *chosen, *files, cache, *options],
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
        """Of a saved run: what `pytest-benchmark compare` shows of it."""
        (path,) = (self.folder / ".benchmarks").glob(f"*/*_{name}.json")
        (benchmark,) = json.loads(path.read_text("utf-8"))["benchmarks"]
        return float(benchmark["stats"]["median"])

    def show_compared(self, *names: str) -> None:
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

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
        subprocess.run(["git", *identity, *words], cwd=self.folder, check=True, capture_output=True)


def findings() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        clone = Clone.make(Path(folder, "clone"))
        against: dict[Comparison, list[dict[str, Any]]] = {comparison: [] for comparison in WANTED}
        separate: dict[str, list[float]] = {"slower": [], "reverted": []}
        seconds: list[float] = []
        for run in range(RUNS):
            seed = f"--infperf-seed={run}"
            clone.measure("as-it-is", seed, f"--benchmark-save=as-it-is-{run}")
            for (revision, before), seen in against.items():
                start = perf_counter()
                seen.append(clone.measure(revision, seed, f"--infperf-against={before}"))
                seconds.append(perf_counter() - start)
            for revision, changes in separate.items():
                clone.measure(revision, seed, f"--benchmark-save={revision}-{run}")
                medians = (clone.median_s(f"{name}-{run}") for name in (revision, "as-it-is"))
                changes.append(truediv(*medians) - 1)
        clone.show_compared("as-it-is-0", "slower-0")
    for (revision, before), seen in against.items():
        changes = [record["measures"]["regression"]["value"] for record in seen]
        verdicts = [record["gates"][0]["verdict"] for record in seen]
        wanted = WANTED[revision, before]
        yield Finding(
            f"{revision}: verdict {wanted} of --infperf-against {before}, limit {LIMIT}",
            verdicts.count(wanted),
            f"of {RUNS} runs",
            limit=RUNS,
            at_least=True,
            how=f"{' '.join(verdicts)}; seen {_range(changes)}, {max(seconds):.0f} s a run at most",
        )
    for revision, changes in separate.items():
        yield Finding(
            f"{revision}: two separate runs through pytest-benchmark compare, widest error",
            100 * max(abs(c - SLOWDOWN * (revision == "slower")) for c in changes),
            "percentage points",
            limit=float("inf"),
            how=f"for comparison, no limit; against as-it-is seen {_range(changes)}: "
            + " ".join(f"{change:+.1%}" for change in changes),
        )


def _range(changes: list[float]) -> str:
    return f"{min(changes):+.1%} to {max(changes):+.1%}"
