"""The end of child processes: ending them with their parent, and explaining how they ended."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from pytest_infperf.host.environment import without_observers

PARENT_VARIABLE = "INFPERF_PARENT"
"""Environment variable with the id of the process with which a measured process must end."""
_ENDED_STATES = (b"Z", b"X", b"x")  # proc(5): a zombie, or dead
_POLL_S = 0.01


def child_environment() -> dict[str, str]:
    """Return the environment of a measured or measuring process that ends with this process.

    Variables of coverage tools and profilers, which would slow it, are removed.
    """
    return {**without_observers(os.environ), PARENT_VARIABLE: str(os.getpid())}


def die_with_parent(parent: int | None = None) -> None:
    """Let the kernel kill this process when its parent ends; has no effect outside Linux.

    This is necessary because a frozen process cannot notice that its pipe closes. The parent is the
    thread that started the process (prctl(2), PR_SET_PDEATHSIG). If the parent has already ended,
    the process ends here, provided that `parent` is its id or that the environment comes from
    `child_environment`.
    """
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1  # linux/prctl.h
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    named = os.environ.pop(PARENT_VARIABLE, "")  # it does not apply to child processes
    parent = parent or int(named or 0)
    # The interpreter may be started by a wrapper script, so that its parent is another process.
    if parent and parent != os.getppid() and has_ended(parent):
        os.kill(os.getpid(), signal.SIGKILL)


def family(*pids: int) -> list[int]:
    """Return the ids of processes and of their descendants.

    Unlike psutil's `children`, this does not need /proc/stat, which is empty in some containers.
    """
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    members = list(pids)
    for member in members:
        members += children[member]
    return members


def has_ended(pid: int) -> bool:
    """Return whether a process has ended or is a zombie."""
    if sys.platform != "linux":
        import psutil

        return not psutil.pid_exists(pid)
    state = _stat_fields(pid)[:1]
    return not state or state[0] in _ENDED_STATES


def kill_group(leader: int, timeout_s: float = 5.0) -> None:
    """Kill a process group with its leader's descendants, and wait until all have ended.

    Waiting is necessary because a killed process may still write to files for a moment.
    """
    members = family(leader)
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    _wait_for_end(members, timeout_s)


def _wait_for_end(members: Sequence[int], timeout_s: float) -> None:
    deadline = monotonic() + timeout_s
    while not all(map(has_ended, members)) and monotonic() < deadline:
        sleep(_POLL_S)


def _parents() -> Iterator[tuple[int, int]]:
    """Yield the id of each process with the id of its parent."""
    if sys.platform != "linux":
        import psutil

        for process in psutil.process_iter():
            with suppress(psutil.Error):
                yield process.pid, process.ppid()
        return
    for name in os.listdir("/proc"):
        if name.isdecimal() and (fields := _stat_fields(int(name))):
            yield int(name), int(fields[1])


def _stat_fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the state on; empty if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return []
    return text.rpartition(b")")[2].split()  # the process name may contain any character


def how_it_ended(code: int) -> str:
    """Return a phrase that explains an exit code of `subprocess`: "ended with exit code 1"."""
    if code >= 0:
        return f"ended with exit code {code}"
    hint = " (often the out-of-memory killer: see `dmesg`)" if code == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-code).name}{hint}"


class OutputTail:
    """A file for the output of a process; its end is shown in error messages."""

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

    def clear(self) -> None:
        """Discard the output so far; the process must be idle."""
        self.file.seek(0)  # the process shares this position
        self.file.truncate()

    def close(self) -> None:
        """Close the file; the end of its text remains available."""
        str(self)
        self.file.close()
