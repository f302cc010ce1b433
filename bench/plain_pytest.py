"""What a plain `pytest` pays for having the plugin installed: paired runs, in random order.

CPU time, user and system: nothing waits in such a run, and the wall clock of a shared host says
more about its neighbours.
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
"""Modules are compiled once, as for everyone who has not switched that off."""


def findings() -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one():\n    assert True\n")
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        _seconds(folder), _seconds(folder, "-p", "no:infperf")
        rng = random.Random(0)
        differences = []
        for _ in range(PAIRS):
            runs = [("with",), ("without", "-p", "no:infperf")]
            rng.shuffle(runs)
            seconds = {name: _seconds(folder, *options) for name, *options in runs}
            differences.append((seconds["with"] - seconds["without"]) * 1e3)
    low, high = ratio.signed_rank_interval(differences, CONFIDENCE)
    yield Finding(
        "plain pytest with the plugin installed, more CPU time than without",
        ratio.hodges_lehmann(differences),
        "ms",
        limit=10,
        how=f"{PAIRS} pairs, 99 % interval [{low:.2f}, {high:.2f}]",
    )


def _seconds(folder: str, *options: str) -> float:
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
