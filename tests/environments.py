"""Virtual environments beside the one of the tests, with distributions of their own."""

from __future__ import annotations

import sys
import venv
from pathlib import Path


def make_environment(folder: Path, **distributions: str) -> Path:
    """Create an environment with the packages of this one, and return its interpreter.

    Additional distributions are given by name and version; `_` in a name stands for `-`.
    """
    python = make_empty_environment(folder)
    shared = [path for path in sys.path if Path(path).name == "site-packages"]
    (_packages(folder) / "shared.pth").write_text("".join(f"{path}\n" for path in shared))
    for name, version in distributions.items():
        install(folder, name.replace("_", "-"), version)
    return python


def make_empty_environment(folder: Path) -> Path:
    """Create an environment without packages, and return its interpreter."""
    venv.EnvBuilder(symlinks=True).create(folder)
    return folder / "bin/python"


def install(folder: Path, name: str, version: str) -> None:
    """Enter a distribution in an environment that has none of its name."""
    described = _packages(folder) / f"{name.replace('-', '_')}-{version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )


def uninstall(folder: Path, name: str, version: str) -> None:
    """Remove a distribution that `install` entered."""
    described = _packages(folder) / f"{name.replace('-', '_')}-{version}.dist-info"
    (described / "METADATA").unlink()
    described.rmdir()


def _packages(folder: Path) -> Path:
    (packages,) = folder.glob("lib/python*/site-packages")
    return packages
