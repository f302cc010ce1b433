"""Imitated machines, described by their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Machine = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a function that writes files below a folder that acts as the root of a machine."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        return tmp_path

    return write
