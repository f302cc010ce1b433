"""Pack the project's current files into one archive for other machines, and unpack it there.

Tracked and untracked files are shipped; files that git ignores are not.
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
"""Size of a part of a packed tree, in bytes: small beside a node's object store."""


@dataclass(frozen=True)
class Tree:
    """Files that are shipped together."""

    top: Path
    """Top folder of the git repository, or the project's root without git."""
    files: Sequence[Path]
    """Paths relative to `top`."""


def files_to_ship(root: Path, extra_folders: Iterable[Path] = ()) -> Tree:
    """Return the files that a run below `root` may need.

    `extra_folders`, for example those of models, are included even if git ignores them. Raises
    UserError if one of them is outside the tree.
    """
    top = top_folder(root)
    if words := git.refusal(top):
        raise UserError(f"--infperf-ray: git cannot read the repository of {root}: {words}")
    files = set(_known_to_git(top) if (top / ".git").exists() else _below(top, top))
    for folder in extra_folders:
        if not folder.is_relative_to(top):
            raise UserError(
                f"--infperf-ray: {folder} is outside {top}, and only files below it are shipped: "
                "move it there, or give the model's hub id"
            )
        files |= set(_below(folder, top))
    return Tree(top, sorted(files))


def model_folders(suites: Iterable[Suite]) -> set[Path]:
    """Return the suites' models that are local folders; nodes download the others from the hub."""
    folders = {
        suite.folder / name
        for suite in suites
        for backend in suite.variants
        if (name := suite.model_of(backend)) is not None
    }
    return {Path(os.path.normpath(folder)) for folder in folders if folder.is_dir()}


def pack(tree: Tree, archive: Path) -> str:
    """Write the tree to a tar archive, and return its digest, which is equal for equal trees.

    A link to a shipped file stays a link; the target of any other link is shipped in its place.
    Raises UserError if a file cannot be read.
    """
    shipped = {*tree.files, *(parent for path in tree.files for parent in path.parents)}
    try:
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
            for name in tree.files:
                _add(file, tree.top, name, shipped)
    except OSError as error:
        raise UserError(
            f"--infperf-ray: the working tree cannot be packed: {error.filename}: "
            f"{error.strerror or error}"
        ) from error
    return file_digest(archive)


def read_parts(archive: Path) -> Iterator[bytes]:
    with archive.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


def unpack(digest: str, parts: Iterable[bytes], folder: Path) -> Path:
    """Return the folder of the tree with that digest below `folder`.

    If it does not exist, it is unpacked from `parts` and replaces any other tree; otherwise `parts`
    is not read. Raises ValueError if the parts have another digest.
    """
    tree = folder / digest
    if tree.is_dir():
        return tree
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    packed = folder / f"{digest}.tar"
    received = hashlib.sha256()
    with packed.open("wb") as file:
        for part in parts:
            received.update(part)
            file.write(part)
    if received.hexdigest() != digest:
        raise ValueError(f"the received tree has the digest {received.hexdigest()}, not {digest}")
    with atomic_replacement(tree) as unfinished, tarfile.open(packed) as archive:
        unfinished.mkdir()
        # Python before 3.11.4 has no filters, and ignores the attribute.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(unfinished)
    packed.unlink()
    return tree


def top_folder(root: Path) -> Path:
    """Return the top folder of the git repository, or the root itself without git."""
    depth = len(Path(git.ask(root, "rev-parse", "--show-prefix")).parts)
    return root.parents[depth - 1] if depth else root


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
    """Add a file without times and owner, so that equal contents give equal archives."""
    with path.open("rb") as file:
        entry = tarfile.TarInfo(name.as_posix())
        entry.size = os.fstat(file.fileno()).st_size
        entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
        archive.addfile(entry, file)


def _known_to_git(top: Path) -> Iterator[Path]:
    """Yield tracked and untracked files that exist; a tracked file may have been deleted."""
    tracked = git.ask(top, "ls-files", "-z", "--cached", "--recurse-submodules")
    new = git.ask(top, "ls-files", "-z", "--others", "--exclude-standard")
    for name in filter(None, (tracked + new).split("\0")):
        if os.path.lexists(top / name):
            yield Path(name)


def _below(folder: Path, top: Path) -> Iterator[Path]:
    """Yield all files, except those of hidden folders, caches and virtual environments."""
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not _is_left_out(Path(parent, name))]
        links = [name for name in subfolders if Path(parent, name).is_symlink()]
        for name in [*names, *links]:
            yield Path(parent, name).relative_to(top)


def _is_left_out(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name == "__pycache__"
    return hidden or (folder / "pyvenv.cfg").exists()
