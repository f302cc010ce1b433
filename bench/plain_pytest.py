"""What a plain `pytest` pays for having the plugin installed: paired runs, in random order."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from bench.finding import Finding
from pytest_infperf.stats import ratio

PAIRS = 60
CONFIDENCE = 0.99


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
        "plain pytest with the plugin installed, more than without",
        ratio.hodges_lehmann(differences),
        "ms",
        limit=10,
        how=f"{PAIRS} pairs, 99 % interval [{low:.2f}, {high:.2f}]",
    )


def _seconds(folder: str, *options: str) -> float:
    start = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return perf_counter() - start
