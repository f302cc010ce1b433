"""The tree of files whose code a worker runs: the user's working tree, or one of a revision."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    folder: Path
    """Where its processes start."""
    import_paths: tuple[str, ...]
    """What they import from before all else."""
    python: Path
    revision: str = ""
    """How a revision was named; empty for the working tree."""

    def environment(self) -> dict[str, str]:
        inherited = os.environ.get("PYTHONPATH", "")
        paths = [*self.import_paths, *([inherited] if inherited else [])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def working_tree(root: Path) -> Checkout:
    """The tree that is tested, with what pytest imports from below its root."""
    return Checkout(Path.cwd(), tuple(_of_project(sys.path, root)), Path(sys.executable))


def at_revision(root: Path, tree: Path, revision: str, python: Path | None = None) -> Checkout:
    """The same places in another tree of the repository that has its top at `root`."""

    def there(path: Path) -> Path:
        return tree / path.relative_to(root)

    here = Path.cwd()
    folder = there(here) if here.is_relative_to(root) and there(here).is_dir() else tree
    paths = [there(Path(path)) for path in _of_project(sys.path, root)]
    return Checkout(
        folder,
        tuple(str(path) for path in paths if path.exists()),
        python or Path(sys.executable),
        revision,
    )


def _of_project(paths: Sequence[str], root: Path) -> Iterator[str]:
    """Those below the root, but for an interpreter's own that lies there."""
    known = sysconfig.get_paths()
    libraries = {Path(known[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    for path in dict.fromkeys(str(Path(path or ".").absolute()) for path in paths):
        its = Path(path)
        if its.is_relative_to(root) and not any(its.is_relative_to(lib) for lib in libraries):
            yield path
