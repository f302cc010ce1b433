"""SIGTERM and SIGHUP end this process as Ctrl-C does, so that others end and measures are kept.

A CI job that is cancelled or runs out of time gets SIGTERM; a closed terminal sends SIGHUP.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = ("SIGTERM", "SIGHUP")


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end; the message is the signal's name."""


class TerminationSignals:
    """The signal handlers of this process.

    A signal that has a handler already, or is ignored, stays as it is.
    """

    def __init__(self) -> None:
        self._installed: list[signal.Signals] = []
        self._ignores = False

    def install(self) -> None:
        """Let the signals raise Terminated in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may set handlers
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._raise)
                self._installed.append(number)

    def ignore(self) -> None:
        """Ignore the signals from now on, because the process ends and writes its files."""
        self._ignores = True

    def restore(self) -> None:
        """Put the default handlers back, unless somebody else has replaced these."""
        for number in self._installed:
            if signal.getsignal(number) == self._raise:
                signal.signal(number, signal.SIG_DFL)
        self._installed.clear()

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if not self._ignores:
            raise Terminated(signal.Signals(number).name)


@contextmanager
def held_back() -> Iterator[None]:
    """Hold Ctrl-C, SIGTERM and SIGHUP back until the context ends, and act on them then."""
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
