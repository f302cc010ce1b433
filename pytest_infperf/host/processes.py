"""The end of processes that this package starts: with their parent, and with an explanation."""

from __future__ import annotations

import os
import signal
import sys
import tempfile


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel signal this process when its parent ends; does nothing outside Linux.

    A frozen process cannot see its pipe close. The kernel takes the thread that started the process
    for its parent (prctl(2), PR_SET_PDEATHSIG).
    """
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1  # linux/prctl.h
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, by)


def how_it_ended(code: int) -> str:
    """Return a phrase that explains an exit code of `subprocess`: "ended with exit code 1"."""
    if code >= 0:
        return f"ended with exit code {code}"
    hint = " (often the out-of-memory killer: see `dmesg`)" if code == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-code).name}{hint}"


class OutputTail:
    """A file for the output of a process, whose end is shown in error messages."""

    _SHOWN_BYTES = 3000

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._text = ""

    def __str__(self) -> str:
        if not self.file.closed:
            self.file.seek(0, os.SEEK_END)
            self.file.seek(max(0, self.file.tell() - self._SHOWN_BYTES))
            self._text = self.file.read().decode(errors="replace").strip()
        if not self._text:
            return "\nIt wrote no output."
        return f"\nIts last output:\n{self._text}"

    def close(self) -> None:
        """Close the file; the end of its text stays available."""
        str(self)
        self.file.close()
