"""Files and folders that are created atomically, and targets for which this is impossible."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_replacement(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` at the end.

    If the body raises, `path` is unchanged and the temporary file or folder is removed. A folder
    can replace only an empty folder.
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


def link_target(path: Path) -> Path:
    """Return the path with symbolic links resolved; the target need not exist."""
    return Path(os.path.realpath(path))


def is_stream(path: Path) -> bool:
    """Return whether a path is a FIFO or a character device, which cannot be replaced.

    Raises OSError if it cannot be written at all: a folder, a socket, a block device, a circle of
    symbolic links, or the file to which this process's standard output is redirected.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    mode = status.st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a socket or a block device")
    if any(_is_open_as(number, status) for number in (1, 2)):
        raise OSError(errno.EINVAL, "it is the standard output")
    return False


def _is_open_as(number: int, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(number), status)
    except OSError:  # it is closed
        return False


def write_to_stream(path: Path, text: str) -> None:
    """Write to a FIFO or a device.

    Raises OSError if no process reads from the FIFO, because writing would block.
    """
    with open(os.open(path, os.O_WRONLY | os.O_NONBLOCK), "wb") as stream:
        os.set_blocking(stream.fileno(), True)
        stream.write(text.encode())


def write_atomically(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a file in UTF-8. An existing file is replaced when the new one is complete.

    The permissions of the existing file are kept. With `durable`, the file is on the disk, not only
    in the system's cache, before it replaces another.
    """
    with (
        atomic_replacement(path) as temporary,
        temporary.open("x", encoding="utf-8", newline="\n") as file,
    ):
        file.write(text)
        with suppress(FileNotFoundError):
            shutil.copymode(path, temporary)
        if durable:
            file.flush()
            os.fsync(file.fileno())
