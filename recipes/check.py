"""Are the shipped weights those of their model cards? By their hashes and their parameters.

`python -m recipes.check` exits with 1 and names what differs. What the models reach is measured by
`pytest --infperf --infperf-full suites/NAME -k quality`.
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
"""Of a card's parameters, at most: Marian's positions are computed, and in no file."""


def differences(root: Path = ROOT, hashes: Path = HASHES) -> Iterator[str]:
    """What is wrong, a line each."""
    lines = [line.split() for line in hashes.read_text("utf-8").splitlines()]
    listed = {name: digest for digest, name in lines}
    found = {str(p.relative_to(root)) for p in root.glob("suites/*/models/*/*.safetensors")}
    yield from (f"{name} is not in {hashes.name}" for name in sorted(found - listed.keys()))
    for name, digest in listed.items():
        path = root / name
        if not path.is_file():
            yield f"{name} is missing"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            yield f"{name} is not what {hashes.name} says"
    for card in sorted(root.glob("suites/*/models/*/README.md")):
        if told := _PARAMETERS.search(" ".join(card.read_text("utf-8").split())):
            said = float(told["number"]) * _UNITS[told["unit"]]
            counted = parameters(card.parent)
            if abs(counted - said) > _COMPUTED * said:
                yield f"{card.relative_to(root)} says {told[0]}, and {counted:,} are in its files"


def parameters(folder: Path) -> int:
    """Of a model folder's weight files, without the statistics that normalisation keeps."""
    from safetensors import safe_open

    count = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (no mapping)
                if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
                    count += math.prod(file.get_slice(name).get_shape())
    return count


def main() -> int:
    found = list(differences())
    for line in found:
        print(line)
    if not found:
        print(f"the weights are those of {HASHES.name} and of their model cards")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
