"""What a run is doing, and how long it still takes: one line that moves, plain lines, or nothing.

pytest writes to the same terminal, in the middle of a line as a rule, so the moving line stands
below pytest's and leaves the cursor where pytest had it whenever it hides.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from threading import Lock
from typing import IO

from rich.cells import cell_len, set_cell_size

from pytest_infperf.report.remaining import Remaining
from pytest_infperf.report.spelling import in_ascii, printable, shows_unicode

REDRAW_S = 0.2
_SHARE = re.compile(r", \d+%$")
ERASE_LINE = "\r\x1b[2K"
UP = "\x1b[A"

Write = Callable[[str], None]
Clock = Callable[[], float]


class Progress:
    """Told what happens, also by several threads: variants are built side by side.

    This one shows nothing; others show the phase and hide it.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._remaining = Remaining(clock, 0)
        self._phase = ""

    def start(self, total_tests: int, guess_after: int = 1) -> None:
        """How long is left shows when `guess_after` tests are done."""
        self._remaining = Remaining(self._clock, total_tests, guess_after)

    def phase(self, suite: str, variant: str, what: str) -> None:
        """Say that a variant is being built, searched, measured ...; again, and time goes on."""
        with self._lock:
            phase, before = f"{suite}[{variant}] {what}", self._phase
            self._phase = phase
            self._show(_without_share(phase) != _without_share(before))

    def advance(self) -> None:
        """A test is done."""
        with self._lock:
            self._remaining.advance()

    def hide(self) -> None:
        """Give the terminal back, before someone else writes; the next phase shows again."""
        with self._lock:
            self._hide()

    def close(self) -> None:
        self.hide()

    def _show(self, changed: bool) -> None:
        """Show the phase; `changed`: it is another than before, and not the same further on."""

    def _hide(self) -> None:
        """Take away what may not stay on the screen."""

    def _line(self) -> str:
        """Time first: a terminal that is too narrow loses the end."""
        test = min(self._remaining.done + 1, self._remaining.total)
        parts = [f"{test}/{self._remaining.total}", self._remaining.words(), self._phase]
        return printable(" · ".join(part for part in parts if part))


def _without_share(phase: str) -> str:
    return _SHARE.sub("", phase)


class PlainProgress(Progress):
    """A line a phase, for logs: nothing is ever taken back.

    `column` tells where pytest's cursor stands: a line that it has begun is ended first.
    """

    def __init__(
        self,
        write: Write,
        column: Callable[[], int] = lambda: 0,
        unicode: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self._write = write
        self._column = column
        self._unicode = unicode
        self._begun_at = 0

    def _show(self, changed: bool) -> None:
        if changed:
            line = f"infperf {self._line()}"
            begun = self._column()
            new_line = "\n" if begun > self._begun_at else ""
            self._begun_at = begun
            self._write(new_line + (line if self._unicode else in_ascii(line)) + "\n")


class LiveProgress(Progress):
    """A line that is drawn over and over. `column` tells where pytest's cursor stands."""

    def __init__(
        self,
        write: Write,
        width: Callable[[], int],
        column: Callable[[], int],
        unicode: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self._write = write
        self._width = width
        self._column = column
        self._unicode = unicode
        self._below: int | None = None
        """The column that pytest's cursor had in the line above, while ours is shown."""
        self._drawn_at = 0.0

    def _show(self, changed: bool) -> None:
        now = self._clock()
        if self._below is not None and not changed and now - self._drawn_at < REDRAW_S:
            return
        self._drawn_at = now
        line = self._line() if self._unicode else in_ascii(self._line())
        # The last column stays free: a terminal that fills it may go on to the next line.
        room = max(1, self._width() - 1)
        shown = line if cell_len(line) <= room else set_cell_size(line, room)
        if self._below is None:
            self._below = self._column()
            self._write("\n" if self._below else "")
        self._write(ERASE_LINE + shown)

    def _hide(self) -> None:
        if self._below is None:
            return
        back = f"{UP}\x1b[{self._below + 1}G" if self._below else ""
        self._write(ERASE_LINE + back)
        self._below = None


def progress_for(
    stream: IO[str],
    quiet: bool,
    interactive: bool,
    *,
    write: Write | None = None,
    width: Callable[[], int] = lambda: 80,
    column: Callable[[], int] = lambda: 0,
    clock: Clock = time.monotonic,
) -> Progress:
    """The way that suits: nothing if quiet, one moving line on a terminal, lines elsewhere.

    `interactive` says that the stream is a terminal which a person watches. `write` replaces the
    stream's own, for whoever keeps track of what was written.
    """

    def straight(text: str) -> None:
        stream.write(text)
        stream.flush()

    if quiet:
        return Progress(clock)
    unicode = shows_unicode(stream)
    if interactive:
        return LiveProgress(write or straight, width, column, unicode, clock)
    return PlainProgress(write or straight, column, unicode, clock)
