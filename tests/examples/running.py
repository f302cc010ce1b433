"""Runs of a folder of examples/ as a user starts them, with a short measuring time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.other_plugins import LEFT_OUT
from tests.plugin.small_project import Outcome

ROOT = Path(__file__).parents[2]
LONGEST_S = 200


def run_example(name: str, tmp_path: Path, *options: str) -> Outcome:
    """Copy examples/`name` and measure it with pytest in a process of its own.

    `suites/` of the repository stands beside the copy, where examples find models and data of it.
    Artifacts are kept in the repository's cache, as building takes half of the time.
    """
    folder = tmp_path / "examples" / name
    written = shutil.ignore_patterns(".*_cache", ".benchmarks", "__pycache__")
    shutil.copytree(ROOT / "examples" / name, folder, ignore=written)
    (tmp_path / "suites").symlink_to(ROOT / "suites")
    cache = f"--infperf-cache={ROOT / '.infperf_cache'}"
    measuring = ["--infperf", "--infperf-budget=0.5", "--infperf-json=infperf.json", cache]
    command = [sys.executable, "-m", "pytest", *LEFT_OUT, "--junitxml=junit.xml", *measuring]
    environment = {
        variable: value
        for variable, value in os.environ.items()
        if not variable.startswith(("PYTEST_", "COV_")) and variable not in ("CI", "COLUMNS")
    }
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        env={**environment, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    result = pytest.RunResult(done.returncode, done.stdout.splitlines(), [], 0.0)
    return Outcome(result, folder, folder / "infperf.json")
