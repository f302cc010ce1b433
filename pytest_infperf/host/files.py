"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_replacement(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and move what was made there to `path` at the end.

    If the body raises, `path` stays as it was and the temporary file or folder is removed. A
    folder can replace an empty folder only.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a file in UTF-8, replacing an earlier one only when the new one is complete.

    A durable file is on the disk, not only in the system's cache, before it replaces another.
    """
    with (
        atomic_replacement(path) as temporary,
        temporary.open("x", encoding="utf-8", newline="\n") as file,
    ):
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
