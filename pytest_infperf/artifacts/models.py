"""The folder of a model's files, from a path or a hub id such as `Helsinki-NLP/opus-mt-zh-en`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs

_NAME = r"[A-Za-z0-9_](?:[\w.-]*\w)?"
_HUB_ID = re.compile(rf"(?P<repository>(?:{_NAME}/)?{_NAME})(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_WEIGHTS_OF_OTHER_FRAMEWORKS = (
    "tf_*", "rust_*", "flax_*", "onnx/*", "openvino/*", "*.gguf", "*.md",
)  # fmt: skip

_NO_PART_OF_A_MODEL = ("*.md", "LICENSE*", "NOTICE*", "Thumbs.db", "desktop.ini")
_LISTED = 10
_WEIGHT_SUFFIXES = frozenset(
    {".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".ot", ".onnx", ".gguf"}
)


def locate(model: str, folder: Path, files: Sequence[str] = ()) -> Path:
    """Return the model's folder: a path relative to `folder`, or a snapshot from the hub.

    `files` are additional files to fetch from the hub, unless they are in `folder`. A hub id is
    `owner/name` or `name`, optionally followed by `@revision`: a branch, a tag or a commit.

    Raises UserError if neither exists, or if the folder contains Git LFS pointers instead of files.
    """
    local = folder / model
    found = local.resolve() if local.is_dir() else _snapshot(model, folder, files)
    if pointer := _missing_from_lfs(found):
        raise UserError(
            f"{lfs.fetch_it(found / pointer)}, or download the model with `hf download`"
        )
    return found


def find_file(name: str, model: Path, folder: Path) -> Path:
    """Return the path of a file in the model's folder or, if it is not there, in the suite's.

    Raises UserError if the file is in neither, or is a Git LFS pointer.
    """
    for path in (model / name, folder / name):
        if lfs.is_pointer(path):
            raise UserError(lfs.fetch_it(path))
        if path.is_file():
            return path
    suffix = Path(name).suffix or ".onnx"
    found = (path for top in (model, folder) for path in sorted(top.rglob(f"*{suffix}")))
    there = [
        str(path.relative_to(model if path.is_relative_to(model) else folder))
        for path in dict.fromkeys(found)
    ]
    listed = ", ".join(there[:_LISTED]) + (", ..." if len(there) > _LISTED else "")
    places = f"not in the suite's folder {folder}"
    if model != folder:
        places = f"neither in the model's folder {model} nor in the suite's folder {folder}"
    message = (
        f"{name} is {places}, where the {suffix} files are {listed or 'none'}: correct the name"
    )
    if commit := hub_commit(model):
        message += f", or run `hf download {_hub_name(model)} {name} --revision {commit}`"
    raise UserError(message)


def is_hub_id(model: str) -> bool:
    """Return whether a model's name can be a hub id, with or without a revision."""
    return _HUB_ID.fullmatch(model) is not None


def hub_commit(folder: Path) -> str | None:
    """Return the commit of a snapshot from the hub; None for any other folder."""
    in_cache = folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--")
    return folder.name if in_cache else None


def files_of(model: Path) -> list[Path]:
    """Return the files of a model in a fixed order.

    Hidden files and folders, such as a download's metadata (`.cache`) and those of git, macOS and
    editors, are left out, and so are documentation and licences. In a snapshot from the hub, files
    that are not fetched by default are left out too.
    """
    paths = (path for path in sorted(model.rglob("*")) if path.is_file())
    files = [path for path in paths if not _is_beside_the_model(path.relative_to(model))]
    if hub_commit(model):
        return [path for path in files if not _is_for_another_framework(path.relative_to(model))]
    return files


def _is_beside_the_model(path: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return hidden or any(fnmatchcase(path.name, pattern) for pattern in _NO_PART_OF_A_MODEL)


def _is_for_another_framework(path: Path) -> bool:
    return any(fnmatchcase(path.as_posix(), name) for name in _WEIGHTS_OF_OTHER_FRAMEWORKS)


def _hub_name(snapshot: Path) -> str:
    return snapshot.parents[1].name.removeprefix("models--").replace("--", "/")


def _missing_from_lfs(model: Path) -> Path | None:
    """Return the relative path of a model file that Git LFS has not fetched; None if there is none.

    Weights that are not fetched are ignored if weights in another format are.
    """
    missing: list[Path] = []
    fetched: set[str] = set()
    for path in files_of(model):
        if lfs.is_pointer(path):
            missing.append(path.relative_to(model))
        else:
            fetched.add(path.suffix)
    whole_formats = (fetched & _WEIGHT_SUFFIXES) - {path.suffix for path in missing}
    needed = [path for path in missing if not whole_formats or path.suffix not in _WEIGHT_SUFFIXES]
    return next(iter(needed), None)


def _snapshot(model: str, folder: Path, files: Sequence[str]) -> Path:
    """Return the snapshot of a hub id. Raises UserError if it is in neither the hub nor its cache.

    `folder` is the suite's folder, for messages. `files` are additional files to fetch.
    """
    local = folder / model
    matched = _HUB_ID.fullmatch(model)
    if not matched:
        raise UserError(
            f"the model folder {local} does not exist, and {model!r} is not a hub id (owner/name, "
            "owner/name@revision)"
        )
    repository, revision = matched["repository"], matched["revision"]
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ImportError as error:
        raise UserError(
            f"{model!r} is not a folder in {folder}, and fetching it from the hub needs "
            'huggingface_hub: pip install "pytest-infperf[torch]"'
        ) from error
    missing = f"cannot get the model {model!r}: the folder {local} does not exist"
    try:
        snapshot = Path(
            snapshot_download(
                repository,
                revision=revision,
                ignore_patterns=list(_WEIGHTS_OF_OTHER_FRAMEWORKS),
            )
        )
        for name in files:
            if not (snapshot / name).exists() and not (folder / name).exists():
                beside = [name, f"{name}[._]*", str(PurePosixPath(name).with_suffix(".bin"))]
                snapshot_download(repository, revision=revision, allow_patterns=beside)
        return snapshot
    except RevisionNotFoundError as error:
        raise UserError(f"{missing}, and {repository} on the hub has no {revision!r}") from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{missing}, and the hub has no {repository} that you may read: correct the name, or "
            "log in with `hf auth login`"
        ) from error
    except HFValidationError as error:
        raise UserError(f"{missing}, and it is not a hub id: {error}") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        command = f"hf download {repository}{f' --revision {revision}' if revision else ''}"
        raise UserError(
            f"{missing}, the model is not in the local hub cache, and the hub cannot be reached "
            f"({type(error).__name__}). Run `{command}` on a machine with network access and copy "
            "its cache (HF_HOME), or set a folder with the model's files in the suite"
        ) from error
