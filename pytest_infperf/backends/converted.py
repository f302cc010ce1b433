"""Folders of converted models: made elsewhere, for backends with a `folder`, or by a converter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_infperf.errors import UserError
from pytest_infperf.repository import lfs


def find(
    backend: str, name: str, model: Path, suite: Path, *, needs: Sequence[str], remedy: str
) -> Path:
    """Return the path of a converted model in the model's folder, or else in the suite's folder.

    Parameters
    ----------
    backend : str
        The name of the backend, for messages.
    name : str
        The folder that its user named.
    model, suite : Path
        The folders to search.
    needs : sequence of str
        The files that every converted model has.
    remedy : str
        How to convert a model, for messages.

    Raises
    ------
    UserError
        If the folder does not exist, lacks a file, or contains Git LFS pointers.
    """
    found = [path for path in (model / name, suite / name) if path.is_dir()]
    if not found:
        raise UserError(
            f"{backend}(folder={name!r}) is neither in the model's folder {model} nor in the "
            f"suite's folder {suite}: correct the name"
        )
    for file in needs:
        if not (found[0] / file).is_file():
            raise UserError(f"{found[0]} has no {file}, so {backend} cannot run it: {remedy}")
    for path in files(found[0]):
        if lfs.is_pointer(path):
            raise UserError(lfs.fetch_it(path))
    return found[0]


def files(folder: Path) -> list[Path]:
    """Return the files of a converted model, in order."""
    return sorted(path for path in folder.iterdir() if path.is_file())


def copy(folder: Path, artifact: Path) -> None:
    for path in files(folder):
        shutil.copy(path, artifact)


def convert(module: str, *arguments: str) -> str:
    """Run the module of a converter, and return the last line of its error; empty if it succeeds.

    It runs in its own process, because converters have modules with common names.
    """
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    *_, reason = done.stderr.strip().splitlines() or ["no message"]
    return reason
