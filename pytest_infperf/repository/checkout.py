"""The tree of files in which a worker runs: the working tree, or the checkout of a revision."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_infperf.host.interpreter import source_tree
from pytest_infperf.host.processes import child_environment


@dataclass(frozen=True)
class Checkout:
    """A tree of files, and the settings for processes in it."""

    folder: Path
    """Working directory of the processes."""
    import_paths: tuple[str, ...]
    """Folders that are first in the import path of the processes."""
    python: Path
    """Interpreter of the processes."""
    revision: str = ""
    """Name of the revision as the user wrote it; empty for the working tree."""

    def run_by(self, python: str | None) -> Checkout:
        """Return this tree with another interpreter, which also imports this package.

        None keeps the interpreter.
        """
        if python is None:
            return self
        own = source_tree()
        paths = (*self.import_paths, str(own)) if own else self.import_paths
        return replace(self, python=Path(python), import_paths=paths)

    def environment(self) -> dict[str, str]:
        """Return the environment of a measured process, with `import_paths` first in PYTHONPATH.

        Variables of coverage tools and profilers are removed.
        """
        inherited = os.environ.get("PYTHONPATH", "")
        paths = [*self.import_paths, *([inherited] if inherited else [])]
        return {**child_environment(), "PYTHONPATH": os.pathsep.join(paths)}


def working_tree(root: Path) -> Checkout:
    """Return the tested tree, with the folders below `root` from which pytest imports."""
    return Checkout(Path.cwd(), tuple(_project_paths(sys.path, root)), Path(sys.executable))


def at_revision(root: Path, tree: Path, revision: str, python: Path | None = None) -> Checkout:
    """Return the counterpart of the working tree in another tree of the same repository.

    `root` is the top folder of the repository, and `tree` is the top folder of the other tree.
    Folders that the other tree lacks are left out.
    """
    current = position_below(root, Path.cwd())
    folder = tree if current is None or not (tree / current).is_dir() else tree / current
    positions = (position_below(root, Path(path)) for path in _project_paths(sys.path, root))
    paths = [tree / position for position in positions if position is not None]
    return Checkout(
        folder,
        tuple(str(path) for path in paths if path.exists()),
        python or Path(sys.executable),
        revision,
    )


def position_below(top: Path, path: Path) -> Path | None:
    """Return the relative path from a folder to a path below it; None if the path is not below it.

    Both paths may contain symbolic links to the folder, or to folders above or below it. Links
    below the folder are not resolved, because they may have other targets in another tree.
    """
    real_top = top.resolve()
    for start in reversed((path, *path.parents)):
        real_start = start.resolve()
        if real_start.is_relative_to(real_top):
            return real_start.relative_to(real_top) / path.relative_to(start)
    return None


def _project_paths(paths: Sequence[str], root: Path) -> Iterator[str]:
    """Yield the paths below `root`, except those of an interpreter that is installed below it."""
    known = sysconfig.get_paths()
    libraries = {Path(known[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    for path in dict.fromkeys(Path(path or ".").absolute() for path in paths):
        if any(path.is_relative_to(library) for library in libraries):
            continue
        if position_below(root, path) is not None:
            yield str(path)
