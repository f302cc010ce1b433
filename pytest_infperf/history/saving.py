"""A lock for saving, because pytest-benchmark numbers a file after those that already exist."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

MAX_WAIT_S = 60.0


@contextmanager
def one_at_a_time(storage: Path, *, saves: bool) -> Iterator[None]:
    """Hold the lock of a storage, so that runs that end at the same time get different numbers.

    Without the lock, one would overwrite the other. A run that does not save does not wait.
    """
    if not saves:
        yield
        return
    name = hashlib.sha256(str(storage.absolute()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir(), f"infperf-storage-{name}.lock"))
    # If the lock is not available, saving without it is better than not saving.
    with suppress(Timeout, OSError):
        lock.acquire(timeout=MAX_WAIT_S)
    try:
        yield
    finally:
        lock.release()
