"""A lock for saving, because pytest-benchmark numbers a file after those that already exist."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_NAME = ".infperf.lock"
"""File of the lock in the storage. It stays there, because another run may wait for it."""
MAX_WAIT_S = 60.0


@contextmanager
def one_at_a_time(storage: Path, *, saves: bool) -> Iterator[None]:
    """Hold the lock of a storage, so that runs that end at the same time get different numbers.

    Without the lock, one would overwrite the other. A run that does not save does not wait.
    """
    if not saves:
        yield
        return
    lock = FileLock(storage / LOCK_NAME)
    # If the lock is not available, saving without it is better than not saving.
    with suppress(Timeout, OSError):
        storage.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=MAX_WAIT_S)
    try:
        yield
    finally:
        lock.release()
