"""How processes of this package end, and what is known of them then."""

from __future__ import annotations

import os
import signal
import sys
import tempfile


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """A frozen process cannot see its pipe close; on Linux the kernel ends it with its parent.

    The parent is the thread that started it.
    """
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1  # linux/prctl.h
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, by)


def how_it_ended(code: int) -> str:
    """In words, of an exit code as `subprocess` gives it."""
    if code >= 0:
        return f"ended with exit code {code}"
    hint = " (often the out-of-memory killer: see `dmesg`)" if code == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-code).name}{hint}"


class LastWords:
    """What a process writes to stderr, kept for the case that it fails."""

    _SHOWN_BYTES = 3000

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._words = ""

    def __str__(self) -> str:
        if not self.file.closed:
            self.file.seek(0, os.SEEK_END)
            self.file.seek(max(0, self.file.tell() - self._SHOWN_BYTES))
            self._words = self.file.read().decode(errors="replace").strip()
        return f"\nIts last words:\n{self._words}" if self._words else "\nIt left no words."

    def close(self) -> None:
        """They can still be read."""
        str(self)
        self.file.close()
