"""Compare the shipped weights with their hashes, and their number of parameters with model cards.

`python -m recipes.check` prints the differences; its exit status is 1 if there are any. The quality
of the models is measured by `pytest --infperf --infperf-full suites/NAME -k quality`.
"""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from recipes.training import ROOT

HASHES = Path(__file__).parent / "weights.sha256"
_PARAMETERS = re.compile(r"(?P<number>[\d.]+) (?P<unit>[kM]) parameters")
_UNITS = {"k": 1e3, "M": 1e6}
_COMPUTED = 0.05
"""Fraction of a card's parameters that may be missing in the files: Marian computes its position
embeddings."""


def differences(root: Path = ROOT, hashes: Path = HASHES) -> Iterator[str]:
    """Yield a line for each difference."""
    lines = [line.split() for line in hashes.read_text("utf-8").splitlines()]
    listed = {name: digest for digest, name in lines}
    present = {str(p.relative_to(root)) for p in root.glob("suites/*/models/*/*.safetensors")}
    yield from (f"{name} is not in {hashes.name}" for name in sorted(present - listed.keys()))
    for name, digest in listed.items():
        path = root / name
        if not path.is_file():
            yield f"{name} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield f"{name} does not match its hash in {hashes.name}"
    for card in sorted(root.glob("suites/*/models/*/README.md")):
        if stated := _PARAMETERS.search(" ".join(card.read_text("utf-8").split())):
            expected = float(stated["number"]) * _UNITS[stated["unit"]]
            counted = parameters(card.parent)
            if abs(counted - expected) > _COMPUTED * expected:
                yield f"{card.relative_to(root)} says {stated[0]}, but its files have {counted:,}"


def parameters(folder: Path) -> int:
    """Count the parameters in a model folder's weight files, without statistics of BatchNorm."""
    from safetensors import safe_open

    count = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
                    count += math.prod(file.get_slice(name).get_shape())
    return count


def main() -> int:
    lines = list(differences())
    for line in lines:
        print(line)
    if not lines:
        print(f"the weights match {HASHES.name} and their model cards")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
