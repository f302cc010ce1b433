"""Handling of SIGTERM and SIGHUP like Ctrl-C, so that child processes end and measures are kept.

CI services send SIGTERM to a job that is cancelled or exceeds its time limit. A closed terminal
sends SIGHUP.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = ("SIGTERM", "SIGHUP")


class Terminated(KeyboardInterrupt):
    """A signal requested the end of the process; the message is the name of the signal."""


class TerminationSignals:
    """The signal handlers of this process.

    A signal that already has a handler or is ignored is left unchanged.
    """

    def __init__(self) -> None:
        self._installed: list[signal.Signals] = []
        self._ignores = False

    def install(self) -> None:
        """Install handlers that raise Terminated in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._raise)
                self._installed.append(number)

    def ignore(self) -> None:
        """Ignore the signals from now on, while the process writes its files and ends."""
        self._ignores = True

    def restore(self) -> None:
        """Restore the default handlers, except for signals with another handler."""
        for number in self._installed:
            if signal.getsignal(number) == self._raise:
                signal.signal(number, signal.SIG_DFL)
        self._installed.clear()

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if not self._ignores:
            raise Terminated(signal.Signals(number).name)


@contextmanager
def held_back() -> Iterator[None]:
    """Defer Ctrl-C, SIGTERM and SIGHUP until the context ends."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    numbers = [getattr(signal, name, None) for name in ("SIGINT", *_SIGNALS)]
    handlers = {number: signal.getsignal(number) for number in numbers if number is not None}
    replaced = {n: h for n, h in handlers.items() if h not in (None, signal.SIG_IGN)}
    for number in replaced:
        signal.signal(number, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        for number in arrived[:1]:
            signal.raise_signal(number)
