"""The end of processes that this package starts: with their parent, and with an explanation."""

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
"""Environment variable with the id of the process that a measured process must not outlive."""
_ENDED_STATES = (b"Z", b"X", b"x")  # proc(5): a zombie, or dead
_POLL_S = 0.01


def child_environment() -> dict[str, str]:
    """Return the environment of a process that is measured, or that measures, and ends with us.

    It has no variables of coverage tools and profilers, which would slow it.
    """
    return {**without_observers(os.environ), PARENT_VARIABLE: str(os.getpid())}


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent ends; does nothing outside Linux.

    A frozen process cannot see its pipe close. The kernel takes the thread that started the process
    for its parent (prctl(2), PR_SET_PDEATHSIG). A process whose parent has ended before this call
    ends here, if `parent` is the parent's id or the environment is that of `child_environment`.
    """
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1  # linux/prctl.h
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    named = os.environ.pop(PARENT_VARIABLE, "")  # not the parent of what this process starts
    parent = parent or int(named or 0)
    # An interpreter may be started by a script around it, so that its parent is another process.
    if parent and parent != os.getppid() and has_ended(parent):
        os.kill(os.getpid(), signal.SIGKILL)


def family(*pids: int) -> list[int]:
    """Return the ids of processes and of their descendants.

    Unlike psutil's `children` this needs no /proc/stat, which some containers leave empty.
    """
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    members = list(pids)
    for member in members:
        members += children[member]
    return members


def has_ended(pid: int) -> bool:
    """Return whether a process has ended, also if nobody has waited for it."""
    if sys.platform != "linux":
        import psutil

        return not psutil.pid_exists(pid)
    state = _stat_fields(pid)[:1]
    return not state or state[0] in _ENDED_STATES


def kill_group(leader: int, timeout_s: float = 5.0) -> None:
    """Kill a process group with its leader's descendants, and wait until all have ended.

    A process that is being killed may still write to files for a moment.
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
    """Yield the id of each process with that of its parent."""
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
    return text.rpartition(b")")[2].split()  # the name before may contain anything


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

    def clear(self) -> None:
        """Forget the output so far of a process that writes nothing meanwhile."""
        self.file.seek(0)  # also for the process, which shares the position
        self.file.truncate()

    def close(self) -> None:
        """Close the file; the end of its text stays available."""
        str(self)
        self.file.close()
