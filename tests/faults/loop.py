"""Run random cells for a given time, and count the problems.

`python -m tests.faults.loop --minutes 60` prints each cell with a problem, and the counts at
the end. The exit status is 1 if there was a problem.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.cells import CELLS, drive


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="draw the same cells again")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    rng, counts, cells = random.Random(seed), Counter[str](), 0
    possible = [cell for cell in CELLS if not cell.senseless]
    end = time.monotonic() + 60 * arguments.minutes
    while time.monotonic() < end:
        cell, spoiled = rng.choice(possible), rng.random() < 0.5
        with tempfile.TemporaryDirectory(prefix="infperf-faults-") as folder:
            problems = drive(cell, Path(folder, "project"), spoiled=spoiled)
        cells += 1
        for problem in problems:
            counts[problem.kind] += 1
            name = f"{cell.id}{' (spoiled)' if spoiled else ''}"
            print(f"{name}: {problem}\n", flush=True)
    for kind in ("wrong verdict", "orphan", "lost record"):
        counts.setdefault(kind, 0)
    print(f"{cells} cells: {', '.join(f'{n} x {kind}' for kind, n in sorted(counts.items()))}")
    return 1 if counts.total() else 0


if __name__ == "__main__":
    sys.exit(main())
