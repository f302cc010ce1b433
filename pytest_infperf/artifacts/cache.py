"""The cache of artifacts. Each is built once and atomically, and verified before use."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from pytest_infperf.artifacts.blueprint import Blueprint, file_digest
from pytest_infperf.errors import UserError
from pytest_infperf.host.files import atomic_replacement

_MANIFEST = "infperf-artifact.json"
_LOCK_MODE = 0o666
"""All users of a shared cache may use the lock file of another user."""

Builder = Callable[[Blueprint, Path, Path | None], dict[str, Any]]
"""Function that builds the artifact of a blueprint in the first folder, from the artifact in the
second folder if it has a source, and returns the evidence of the build."""


@dataclass(frozen=True)
class Artifact:
    """A built variant on disk."""

    folder: Path
    evidence: dict[str, Any]
    """Facts about the build from the backend."""
    size_bytes: int
    """Total size of the files, in bytes."""


class ArtifactCache:
    """A folder of artifacts by key. A lock per key lets several runs share the folder."""

    def __init__(self, root: Path, notice: Callable[[str], None]) -> None:
        self._root = root
        self._notice = notice

    def find(self, blueprint: Blueprint) -> Artifact | None:
        """Return the artifact of a blueprint if it is complete, without writing or waiting."""
        with suppress(OSError, ValueError):
            return _verified(self._folder(blueprint))  # no lock, because it is created atomically
        return None

    def obtain(self, blueprint: Blueprint, build: Builder) -> Artifact:
        """Return the artifact of a blueprint, and build it first if it is missing or damaged.

        Nothing is written if the artifact is complete, so that the cache may belong to another user
        or be read-only.

        Raises UserError if an artifact must be built and the cache cannot be written, and the
        errors of `build`.
        """
        if artifact := self.find(blueprint):
            return artifact
        folder = self._folder(blueprint)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            if not (self._root / ".gitignore").exists():
                (self._root / ".gitignore").write_text("*\n")
            with FileLock(self._root / f"{folder.name}.lock", mode=_LOCK_MODE):
                if artifact := self._undamaged(folder):
                    return artifact
                source = None
                if blueprint.source:
                    source = self.obtain(blueprint.source, build).folder
                self._build(folder, lambda unfinished: build(blueprint, unfinished, source))
                return _verified(folder)
        except OSError as error:
            raise UserError(
                f"cannot write the artifact cache {self._root} to build {folder.name}: "
                f"{error.strerror or error}. "
                "Free some space, or choose another folder with --infperf-cache"
            ) from error

    def _folder(self, blueprint: Blueprint) -> Path:
        return self._root / f"{blueprint.default_id}-{blueprint.key}"

    def _undamaged(self, folder: Path) -> Artifact | None:
        """Return the artifact if it exists; remove a damaged one, with a notice."""
        if not folder.exists():
            return None
        try:
            return _verified(folder)
        except (OSError, ValueError) as damage:
            self._notice(f"the artifact {folder.name} is damaged ({damage}) and is built again")
            shutil.rmtree(folder)
            return None

    def _build(self, folder: Path, build: Callable[[Path], dict[str, Any]]) -> None:
        with atomic_replacement(folder) as unfinished:
            unfinished.mkdir()
            evidence = build(unfinished)
            files = {
                str(path.relative_to(unfinished)): file_digest(path)
                for path in sorted(unfinished.rglob("*"))
                if path.is_file()
            }
            manifest = {"schema": 1, "evidence": evidence, "files": files}
            (unfinished / _MANIFEST).write_text(json.dumps(manifest, indent=1))


def _verified(folder: Path) -> Artifact:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        files, evidence = dict(manifest["files"]), dict(manifest["evidence"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{_MANIFEST} cannot be read") from error
    size = 0
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{name} is missing")
        if file_digest(path) != digest:
            raise ValueError(f"{name} has changed")
        size += path.stat().st_size
    return Artifact(folder, evidence, size)
