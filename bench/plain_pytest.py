"""Cost of the installed plugin to a plain `pytest`: paired runs with and without it.

The quantity is CPU time, user and system, because the wall time on a shared host depends more on
other processes, and such a run does not wait for anything.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.finding import Finding
from pytest_infperf.stats import ratio

PAIRS = 50
CONFIDENCE = 0.99
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""The environment with byte code caching, which is Python's default."""


def findings() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one():\n    assert True\n")
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        _cpu_seconds(folder), _cpu_seconds(folder, "-p", "no:infperf")  # compile the modules
        rng = random.Random(0)
        differences_ms = []
        for _ in range(PAIRS):
            runs = [("with",), ("without", "-p", "no:infperf")]
            rng.shuffle(runs)
            seconds = {name: _cpu_seconds(folder, *options) for name, *options in runs}
            differences_ms.append((seconds["with"] - seconds["without"]) * 1e3)
    low, high = ratio.signed_rank_interval(differences_ms, CONFIDENCE)
    yield Finding(
        "plain pytest: more CPU time with the plugin installed than without",
        ratio.hodges_lehmann(differences_ms),
        "ms",
        limit=10,
        detail=f"{PAIRS} pairs, 99 % interval [{low:.2f}, {high:.2f}]",
    )


def _cpu_seconds(folder: str, *options: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=_ENVIRONMENT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
