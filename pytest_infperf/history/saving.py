"""Saving by one run at a time: pytest-benchmark numbers its files by what is there already."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LONGEST_S = 60.0


@contextmanager
def one_at_a_time(storage: Path, *, saves: bool) -> Iterator[None]:
    """Two runs that end together would take the same number, and one would be lost."""
    if not saves:
        yield
        return
    name = hashlib.sha256(str(storage.absolute()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir(), f"infperf-storage-{name}.lock"))
    # Where no lock can be had, saving without one is better than not saving.
    with suppress(Timeout, OSError):
        lock.acquire(timeout=LONGEST_S)
    try:
        yield
    finally:
        lock.release()
