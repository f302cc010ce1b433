"""The cache of built variants: built once, whole or not at all, checked when used again."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock

from pytest_infperf.errors import UserError
from pytest_infperf.suite import Backend, Decoding

_MANIFEST = "infperf-artifact.json"

Builder = Callable[[Backend, Path, Path | None], dict[str, Any]]
"""Writes a backend's artifact into the first folder, from the one in the second; gives evidence."""


@dataclass(frozen=True)
class Artifact:
    folder: Path
    evidence: dict[str, Any]
    size_bytes: int


class ArtifactCache:
    """A folder of artifacts, one a key; safe under runs at once through a lock a key."""

    def __init__(
        self, root: Path, instruction_sets: tuple[str, ...], notice: Callable[[str], None]
    ) -> None:
        self._root = root
        self._instruction_sets = instruction_sets
        self._notice = notice

    def key(self, backend: Backend, model: Path, decoding: Decoding) -> str:
        """A hash of all that the artifact depends on."""
        source = backend.built_from()
        facts = {
            "model": _model_digest(model),
            "recipe": backend.recipe(),
            "decoding": dict(decoding),
            "source": self.key(source, model, decoding) if source else None,
            "code": _code_digest(type(backend)),
            "libraries": installed_versions(type(backend)),
            "instruction_sets": self._instruction_sets,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]

    def obtain(self, backend: Backend, model: Path, decoding: Decoding, build: Builder) -> Artifact:
        """The artifact, built first if it is not there. Raises what `build` raises."""
        key = self.key(backend, model, decoding)
        folder = self._root / f"{backend.default_id}-{key}"
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            (self._root / ".gitignore").write_text("*\n")
            with FileLock(self._root / f"{folder.name}.lock"):
                if found := self._find(folder):
                    return found
                start_from = backend.built_from()
                source = (
                    self.obtain(start_from, model, decoding, build).folder if start_from else None
                )
                self._build(folder, lambda into: build(backend, into, source))
                return _verified(folder)
        except OSError as error:
            raise UserError(
                f"cannot write the artifact cache {self._root}: {error.strerror or error}. "
                "Make room or choose another folder with --infperf-cache"
            ) from error

    def _find(self, folder: Path) -> Artifact | None:
        """The artifact if it is there and whole; a damaged one is removed, with a notice."""
        if not folder.exists():
            return None
        try:
            return _verified(folder)
        except (OSError, ValueError) as damage:
            self._notice(f"the artifact {folder.name} is damaged ({damage}) and is built again")
            shutil.rmtree(folder)
            return None

    def _build(self, folder: Path, build: Callable[[Path], dict[str, Any]]) -> None:
        unfinished = self._root / f"{folder.name}.{uuid4().hex[:8]}.tmp"
        unfinished.mkdir()
        try:
            evidence = build(unfinished)
            files = {
                str(path.relative_to(unfinished)): _file_digest(path)
                for path in sorted(unfinished.rglob("*"))
                if path.is_file()
            }
            manifest = {"schema": 1, "evidence": evidence, "files": files}
            (unfinished / _MANIFEST).write_text(json.dumps(manifest, indent=1))
            os.replace(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def installed_versions(backend: type[Backend]) -> dict[str, str]:
    """Of what a backend requires. Raises UserError for a distribution that is not installed."""
    found = {}
    for name in backend.requires:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            needed = f'"pytest-infperf[{backend.extra}]"' if backend.extra else name
            raise UserError(
                f"{backend.__name__} needs {name}, which is not installed: pip install {needed}"
            ) from None
    return found


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
        if _file_digest(path) != digest:
            raise ValueError(f"{name} has changed")
        size += path.stat().st_size
    return Artifact(folder, evidence, size)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache
def _model_digest(model: Path) -> str:
    files = [path for path in sorted(model.rglob("*")) if path.is_file()]
    digests = [(str(path.relative_to(model)), _file_digest(path)) for path in files]
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


@lru_cache
def _code_digest(backend: type[Backend]) -> str:
    """Of the module that builds, and of its neighbours when it stands in a package."""
    module = Path(inspect.getfile(backend))
    in_package = (module.parent / "__init__.py").exists()
    sources = sorted(module.parent.rglob("*.py")) if in_package else [module]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
