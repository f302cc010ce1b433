"""Measure a new suite: once with pytest, and one variant against itself for its noise."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_infperf.cli.init.draft import SuiteDraft
from pytest_infperf.errors import UserError
from pytest_infperf.host.fingerprint import fingerprint
from pytest_infperf.records.file import read
from pytest_infperf.records.record import Record
from pytest_infperf.run.calibration import NoiseFloor, calibrate, configured_suite
from pytest_infperf.run.host_noise import HostNoise
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SUITE_FILE, suite_beside
from pytest_infperf.thresholds import Policy

_CALIBRATION_RUNS = 3
_WANTED = 0.02
"""Limit on `regression` with which code that is 5 % slower fails and equal code passes."""
_SHORTEST_S, _LONGEST_S = 20.0, 40.0
"""Measuring times of pairs with the other revision, in seconds; the first for several processes."""


def measure(draft: SuiteDraft, root: Path, thresholds: Path, budget_s: float) -> list[Record]:
    """Run the suite's tests with pytest and return the records.

    Raises UserError if nothing was measured or a variant failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.json")
        options = [
            f"--infperf-thresholds={thresholds}",
            f"--infperf-json={path}",
            f"--infperf-budget={budget_s}",
        ]
        command = [sys.executable, "-m", "pytest", "--infperf", str(draft.folder), *options]
        subprocess.run(command, cwd=root, check=False)
        if not path.is_file():
            raise UserError("nothing was measured: see the output of pytest above")
        records = read(path).records
    if failed := [record for record in records if record.errors]:
        raise UserError(_describe_failure(failed, draft))
    return records


def _describe_failure(failed: Sequence[Record], draft: SuiteDraft) -> str:
    error = failed[0].errors[0]
    if {record.variant for record in failed} == {*draft.variants}:
        return f"no variant could be measured: {error}\nFix it, then run init again with --force"
    return (
        f"{failed[0].variant} could not be measured: {error}\nFix it or omit it from --variants, "
        "then run init again with --force"
    )


@dataclass(frozen=True)
class Slowdown:
    """A slowdown that this host almost always detects, while equal code passes."""

    percent: int
    budget_s: int
    """Required measuring time of one test, in seconds."""


def findable_slowdown(draft: SuiteDraft, root: Path, budget_s: float) -> Slowdown:
    """Return the slowdown to gate on: 2 % if the host can detect it, else the smallest possible.

    The last variant is measured against itself.
    """
    configured = configured_suite(
        suite_beside(root / draft.folder / SUITE_FILE, root), draft.baseline
    )
    settings = Settings(root, cache=root / ".infperf_cache")
    policy = Policy(budget_s=budget_s)
    noise = HostNoise(settings.cache, fingerprint(()))
    floor = calibrate(configured, draft.variants[-1], settings, policy, _CALIBRATION_RUNS, noise)
    return slowdown_for(floor)


def slowdown_for(noise: NoiseFloor) -> Slowdown:
    """Return the slowdown to gate on, from the noise of a variant against itself.

    The interval shrinks with the square root of the time. A test shares its budget with latencies
    and speed-up, which leave the rest.
    """
    needed_s = noise.budget_s * (2 * noise.half_width / _WANTED) ** 2
    fraction = _WANTED
    if needed_s > _LONGEST_S:
        needed_s = _LONGEST_S
        fraction = max(_WANTED, 2 * noise.half_width * math.sqrt(noise.budget_s / needed_s))
    budget_s = 5 * math.ceil(2 * max(needed_s, _SHORTEST_S) / 5)
    return Slowdown(math.ceil(round(100 * fraction, 6)), budget_s)
