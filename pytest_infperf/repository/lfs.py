"""Git LFS pointers, which replace the files that were not fetched."""

from __future__ import annotations

from pathlib import Path

_FIRST_WORDS = b"version https://git-lfs.github.com/spec/"
_LARGEST_BYTES = 1024
"""The limit of the specification of Git LFS."""


def is_pointer(path: Path) -> bool:
    """Return whether a file is a pointer."""
    if not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
        return False
    return path.read_bytes().startswith(_FIRST_WORDS)


def fetch_it(path: Path) -> str:
    """Return the message about a pointer, with the remedy."""
    return f"{path} is a Git LFS pointer, not the file itself: run `git lfs pull` in {path.parent}"
