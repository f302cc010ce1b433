"""Progress of a run: its current phase and remaining time, in one line or in a log.

pytest writes to the same terminal and usually leaves the cursor in the middle of a line. The
progress line is therefore drawn below pytest's, and hiding it puts the cursor back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from threading import Lock
from typing import IO

from rich.cells import cell_len, set_cell_size

from pytest_infperf.report.characters import printable, shows_unicode
from pytest_infperf.report.remaining_time import RemainingTime

REDRAW_S = 0.2
"""Shortest time between two drawings of one phase, in seconds."""
LOG_S = 60
"""Shortest time between two lines of a log about one suite, in seconds."""
_SHARE_DONE = re.compile(r", \d+%$")
ERASE_LINE = "\r\x1b[2K"
UP = "\x1b[A"

Write = Callable[[str], None]
Clock = Callable[[], float]


class Progress:
    """Keeps the current phase and the number of finished tests, and shows nothing.

    Subclasses override `_show` and `_hide`. All methods may be called by several threads, because
    variants are built in parallel.
    """

    def __init__(self, unicode: bool = True, clock: Clock = time.monotonic) -> None:
        self._unicode = unicode
        self._clock = clock
        self._lock = Lock()
        self._remaining = RemainingTime(clock, 0)
        self._phase = ""
        self._suite = ""

    def start(self, total_tests: int, guess_after: int = 1) -> None:
        """Begin a run; the remaining time is shown after `guess_after` finished tests."""
        self._remaining = RemainingTime(self._clock, total_tests, guess_after)

    def phase(self, suite: str, variant: str, what: str) -> None:
        """Show the current phase of a variant, for example "building".

        Repeating a phase updates the remaining time. A phase may end with the part that is done,
        for example ", 40%".
        """
        with self._lock:
            phase, before = f"{suite}[{variant}] {what}", self._phase
            self._phase, self._suite = phase, suite
            self._show(is_new=_without_share(phase) != _without_share(before))

    def advance(self) -> None:
        """Count one more finished test."""
        with self._lock:
            self._remaining.advance()

    def hide(self) -> None:
        """Free the terminal for other output; the next phase is shown again."""
        with self._lock:
            self._hide()

    def close(self) -> None:
        self.hide()

    def _show(self, is_new: bool) -> None:
        """Show the phase; `is_new` is false if only its fraction or the remaining time changed."""

    def _hide(self) -> None:
        """Erase the progress line, if there is one."""

    def _line(self) -> str:
        """Return the line. The phase comes last, because a narrow terminal truncates the end."""
        test = min(self._remaining.done + 1, self._remaining.total)
        parts = [f"{test}/{self._remaining.total}", self._remaining.text(), self._phase]
        return printable(" · ".join(part for part in parts if part), unicode=self._unicode)


def _without_share(phase: str) -> str:
    return _SHARE_DONE.sub("", phase)


class LogProgress(Progress):
    """Writes a line when a suite begins, then at most one a minute, and erases nothing.

    In the log of a CI job the lines show that the run goes on, and the remaining time. `column`
    returns the column of pytest's cursor. If pytest has begun a line, it is ended first. With
    `every_phase`, each phase has a line.
    """

    def __init__(
        self,
        write: Write,
        column: Callable[[], int] = lambda: 0,
        unicode: bool = True,
        clock: Clock = time.monotonic,
        *,
        every_phase: bool = False,
    ) -> None:
        super().__init__(unicode, clock)
        self._write = write
        self._column = column
        self._every_phase = every_phase
        self._last_column = 0
        self._suites: set[str] = set()
        """The suites that have a line."""
        self._written_at = 0.0

    def _show(self, is_new: bool) -> None:
        now = self._clock()
        is_due = self._suite not in self._suites or now - self._written_at >= LOG_S
        if not is_due and not (self._every_phase and is_new):
            return
        self._suites.add(self._suite)
        self._written_at = now
        column = self._column()
        new_line = "\n" if column > self._last_column else ""
        self._last_column = column
        self._write(f"{new_line}infperf {self._line()}\n")


class LiveProgress(Progress):
    """Redraws one line on a terminal. `column` returns the column of pytest's cursor."""

    def __init__(
        self,
        write: Write,
        width: Callable[[], int],
        column: Callable[[], int],
        unicode: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(unicode, clock)
        self._write = write
        self._width = width
        self._column = column
        self._column_above: int | None = None
        """Column of pytest's cursor in the line above; None while the progress line is hidden."""
        self._drawn_at = 0.0

    def _show(self, is_new: bool) -> None:
        now = self._clock()
        is_shown = self._column_above is not None
        if is_shown and not is_new and now - self._drawn_at < REDRAW_S:
            return
        self._drawn_at = now
        line = self._line()
        # The last column stays free: a terminal that fills it may continue on the next line.
        free = max(1, self._width() - 1)
        if cell_len(line) > free:
            line = set_cell_size(line, free)
        if not is_shown:
            self._column_above = self._column()
            self._write("\n" if self._column_above else "")
        self._write(ERASE_LINE + line)

    def _hide(self) -> None:
        if self._column_above is None:
            return
        back = f"{UP}\x1b[{self._column_above + 1}G" if self._column_above else ""
        self._write(ERASE_LINE + back)
        self._column_above = None


def progress_for(
    stream: IO[str],
    quiet: bool,
    interactive: bool,
    *,
    width: Callable[[], int] = lambda: 80,
    column: Callable[[], int] = lambda: 0,
    every_phase: bool = False,
) -> Progress:
    """Return the progress for a stream: none, one line that is redrawn, or lines of a log.

    Parameters
    ----------
    stream
        Stream to write to.
    quiet
        Whether to show nothing.
    interactive
        Whether the stream is a terminal.
    width
        Returns the width of the terminal, in characters.
    column
        Returns the column of pytest's cursor.
    every_phase
        Whether a log has a line per phase.
    """

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    if quiet:
        return Progress()
    unicode = shows_unicode(stream)
    if interactive:
        return LiveProgress(write, width, column, unicode)
    return LogProgress(write, column, unicode, every_phase=every_phase)
