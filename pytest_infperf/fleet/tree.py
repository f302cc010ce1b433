"""The project as it is now, packed into one file for other machines, and unpacked there.

What git tracks and what it does not know yet is shipped, and nothing that it ignores.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_infperf.artifacts.blueprint import file_digest
from pytest_infperf.errors import UserError
from pytest_infperf.host.files import atomic_replacement
from pytest_infperf.repository import git
from pytest_infperf.suite.suite import Suite

PART_BYTES = 16 * 1024**2
"""Of a packed tree: small beside a node's object store."""


@dataclass(frozen=True)
class Tree:
    top: Path
    """git's top folder; the project's root where there is no git."""
    files: Sequence[Path]
    """Relative to the top."""


def working_tree(root: Path, also: Iterable[Path] = ()) -> Tree:
    """The files that a run below `root` may need.

    `also` are folders that are shipped though git ignores them, such as those of models. Raises
    UserError for one that lies outside the tree.
    """
    top = top_of(root)
    files = set(_known_to_git(top) if (top / ".git").exists() else _below(top, top))
    for folder in also:
        if not folder.is_relative_to(top):
            raise UserError(
                f"--infperf-ray: {folder} lies outside {top}, and only what is below is shipped: "
                "move it there, or name the model by its hub id"
            )
        files |= set(_below(folder, top))
    return Tree(top, sorted(files))


def model_folders(suites: Iterable[Suite]) -> set[Path]:
    """Of the suites' models those that are folders here: others come from the hub."""
    folders = {
        suite.folder / suite.model_of(backend) for suite in suites for backend in suite.variants
    }
    return {Path(os.path.normpath(folder)) for folder in folders if folder.is_dir()}


def pack(tree: Tree, into: Path) -> str:
    """Write the tree into one file; returns its digest, which is equal for equal trees.

    A link to what is shipped stays a link; where another leads to is shipped in its place. Raises
    UserError when a file cannot be read.
    """
    shipped = {*tree.files, *(parent for path in tree.files for parent in path.parents)}
    try:
        with tarfile.open(into, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in tree.files:
                _add(archive, tree.top, name, shipped)
    except OSError as error:
        raise UserError(
            f"--infperf-ray: the working tree cannot be packed: {error.filename}: "
            f"{error.strerror or error}"
        ) from error
    return file_digest(into)


def parts(packed: Path) -> Iterator[bytes]:
    with packed.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


def unpacked(digest: str, received: Iterable[bytes], folder: Path) -> Path:
    """The tree of that digest below `folder`, in place of any other; `received` only if need be.

    Raises ValueError when what was received is not what was sent.
    """
    tree = folder / digest
    if tree.is_dir():
        return tree
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    packed = folder / f"{digest}.tar"
    seen = hashlib.sha256()
    with packed.open("wb") as file:
        for part in received:
            seen.update(part)
            file.write(part)
    if seen.hexdigest() != digest:
        raise ValueError(f"the tree arrived as {seen.hexdigest()} and was sent as {digest}")
    with atomic_replacement(tree) as unfinished, tarfile.open(packed) as archive:
        unfinished.mkdir()
        # Python before 3.11.4 has no filters, and does not look at the attribute.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(unfinished)
    packed.unlink()
    return tree


def _add(archive: tarfile.TarFile, top: Path, name: Path, shipped: set[Path]) -> None:
    path = top / name
    if path.is_symlink():
        target = path.resolve()
        if target.is_relative_to(top.resolve()) and target.relative_to(top.resolve()) in shipped:
            entry = tarfile.TarInfo(name.as_posix())
            entry.type = tarfile.SYMTYPE
            entry.linkname = os.path.relpath(target, path.parent.resolve())
            archive.addfile(entry)
            return
        path = target
    if path.is_dir():
        for inner in sorted(_below(path, path)):
            _add_file(archive, path / inner, name / inner)
    elif path.exists():
        _add_file(archive, path, name)


def _add_file(archive: tarfile.TarFile, path: Path, name: Path) -> None:
    """Without times and owners, which differ where contents do not."""
    with path.open("rb") as file:
        entry = tarfile.TarInfo(name.as_posix())
        entry.size = os.fstat(file.fileno()).st_size
        entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
        archive.addfile(entry, file)


def top_of(root: Path) -> Path:
    """git's top folder; the root itself where there is no git."""
    depth = len(Path(git.ask(root, "rev-parse", "--show-prefix")).parts)
    return root.parents[depth - 1] if depth else root


def _known_to_git(top: Path) -> Iterator[Path]:
    """Those that are there: a file may be deleted and still tracked."""
    tracked = git.ask(top, "ls-files", "-z", "--cached", "--recurse-submodules")
    new = git.ask(top, "ls-files", "-z", "--others", "--exclude-standard")
    for name in filter(None, (tracked + new).split("\0")):
        if os.path.lexists(top / name):
            yield Path(name)


def _below(folder: Path, top: Path) -> Iterator[Path]:
    """All files but those of hidden folders, of caches and of virtual environments."""
    for place, inner, names in os.walk(folder):
        inner[:] = [name for name in inner if not _is_left_out(Path(place, name))]
        for name in names:
            yield Path(place, name).relative_to(top)
        links = [name for name in inner if Path(place, name).is_symlink()]
        for name in links:
            yield Path(place, name).relative_to(top)


def _is_left_out(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name == "__pycache__"
    return hidden or (folder / "pyvenv.cfg").exists()
