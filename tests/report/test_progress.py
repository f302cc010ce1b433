from __future__ import annotations

import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from pytest_infperf.report.progress import LiveProgress, LogProgress, Progress, progress_for


class Screen:
    """The part of a terminal that the progress line needs: rows of text and a cursor."""

    def __init__(self) -> None:
        self.rows = [""]
        self.row = self.column = 0

    def write(self, text: str) -> None:
        for part in re.findall(r"\x1b\[\d*[A-Z]|[\r\n]|[^\x1b\r\n]+", text):
            if part == "\n":
                self.row, self.column = self.row + 1, 0
                self.rows += [""] * (self.row + 1 - len(self.rows))
            elif part == "\r":
                self.column = 0
            elif part == "\x1b[2K":
                self.rows[self.row] = ""
            elif part == "\x1b[A":
                self.row -= 1
            elif part.startswith("\x1b["):
                self.column = int(part[2:-1]) - 1
            else:
                before = self.rows[self.row].ljust(self.column)[: self.column]
                after = self.rows[self.row][self.column + len(part) :]
                self.rows[self.row] = before + part + after
                self.column += len(part)

    @property
    def shown(self) -> list[str]:
        return [row for row in self.rows if row]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(screen: Screen, clock: Clock) -> LiveProgress:
    return LiveProgress(
        screen.write, width=lambda: 80, column=lambda: screen.column, unicode=True, clock=clock
    )


def test_the_line_is_below_pytests_and_restores_the_cursor(
    live: LiveProgress, screen: Screen, clock: Clock
) -> None:
    live.start(3)
    screen.write("test_translation.py .")
    live.phase("translation", "onnx", "building")
    assert screen.shown == ["test_translation.py .", "1/3 · translation[onnx] building"]
    clock.now += 1
    live.phase("translation", "onnx", "starting")
    assert screen.shown == ["test_translation.py .", "1/3 · translation[onnx] starting"]
    live.hide()
    screen.write("F")
    assert screen.shown == ["test_translation.py .F"]


def test_no_empty_line_is_left_if_pytest_is_at_the_start_of_a_line(
    live: LiveProgress, screen: Screen
) -> None:
    live.start(3)
    live.phase("translation", "onnx", "building")
    assert screen.shown == ["1/3 · translation[onnx] building"]
    live.close()
    assert screen.shown == []
    screen.write("PASSED\n")
    assert screen.shown == ["PASSED"]


def test_hiding_twice_has_no_further_effect(live: LiveProgress, screen: Screen) -> None:
    live.start(1)
    screen.write("dots")
    live.phase("s", "v", "building")
    live.hide()
    live.hide()
    screen.write("!")
    assert screen.shown == ["dots!"]


def test_a_narrow_terminal_truncates_the_end_and_does_not_wrap(
    screen: Screen, clock: Clock
) -> None:
    live = LiveProgress(screen.write, lambda: 30, lambda: screen.column, clock=clock)
    live.start(45)
    clock.now += 20
    live.advance()
    live.phase("translation", "onnx-fused-int8", "searching the best number of threads")
    assert screen.shown == ["2/45 · about 15 min left · tra"[:29]]


def test_the_same_phase_is_redrawn_rarely(clock: Clock) -> None:
    written: list[str] = []
    live = LiveProgress(written.append, lambda: 80, lambda: 0, clock=clock)
    live.start(2)
    for _ in range(1024):
        live.phase("s", "v", "measuring latency")
        clock.now += 1 / 1024
    drawn = [text for text in written if "measuring" in text]
    assert len(drawn) == 5, "at once, and each time that 0.2 s are over"


def test_the_remaining_time_is_updated_during_a_phase(
    live: LiveProgress, screen: Screen, clock: Clock
) -> None:
    live.start(6)
    clock.now += 20
    live.advance()
    live.phase("s", "v", "measuring latency")
    assert "about 2 min left" in screen.shown[0]
    clock.now += 12
    live.phase("s", "v", "measuring latency")
    assert "about 90 s left" in screen.shown[0]


def test_a_log_ends_the_line_that_pytest_has_begun(clock: Clock) -> None:
    written: list[str] = []
    dots = [0, 0, 4, 4]
    plain = LogProgress(written.append, column=lambda: dots.pop(0), clock=clock)
    plain.start(2)
    for what in ("building", "starting", "measuring latency", "measuring footprint"):
        plain.phase("s", "v", what)
        clock.now += 60
    assert [line.startswith("\n") for line in written] == [False, False, True, False]


def test_a_log_has_a_line_per_suite_and_minute(clock: Clock) -> None:
    written: list[str] = []
    plain = LogProgress(written.append, clock=clock)
    plain.start(2)
    for what in ("building", "starting", *(f"scoring, {share}%" for share in range(12))):
        plain.phase("translation", "onnx", what)
        clock.now += 5
    plain.phase("translation", "onnx", "measuring latency")
    plain.advance()
    plain.phase("speech", "onnx", "building")
    clock.now += 59
    plain.phase("translation", "torch", "building")
    plain.hide()
    plain.close()
    assert written == [
        "infperf 1/2 · translation[onnx] building\n",
        "infperf 1/2 · translation[onnx] scoring, 10%\n",
        "infperf 2/2 · about 70 s left · speech[onnx] building\n",
    ]


def test_a_log_may_have_a_line_per_phase(clock: Clock) -> None:
    written: list[str] = []
    plain = LogProgress(written.append, clock=clock, every_phase=True)
    plain.start(2)
    for what in ("building", "building", "scoring, 10%", "scoring, 20%"):
        plain.phase("s", "v", what)
    assert written == [
        "infperf 1/2 · s[v] building\n",
        "infperf 1/2 · s[v] scoring, 10%\n",
    ]


def test_variants_that_build_in_parallel_write_whole_lines() -> None:
    written: list[str] = []
    writing = Lock()

    def write(line: str) -> None:
        assert writing.acquire(blocking=False), "another thread is writing"
        time.sleep(0.0005)
        written.append(line)
        writing.release()

    plain = LogProgress(write)
    plain.start(4)
    with ThreadPoolExecutor(4) as pool:
        for number in range(200):
            pool.submit(plain.phase, f"s{number}", "v", "building")
    assert len(written) == 200
    assert all(re.fullmatch(r"infperf 1/4 · s\d+\[v\] building\n", line) for line in written)


def test_control_characters_of_a_name_cannot_move_the_cursor(
    live: LiveProgress, screen: Screen
) -> None:
    live.start(1)
    live.phase("s", "v\x1b[2J\n\r", "building")
    assert screen.shown == ["1/1 · s[v ] building"]


class TestChoice:
    def terminal(self, encoding: str = "utf-8") -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")

    def written(self, stream: io.TextIOWrapper) -> str:
        stream.flush()
        buffer = stream.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(stream.encoding)

    @pytest.mark.parametrize("interactive", [True, False])
    def test_quiet_shows_nothing(self, interactive: bool) -> None:
        stream = self.terminal()
        progress = progress_for(stream, quiet=True, interactive=interactive)
        assert type(progress) is Progress
        progress.start(1)
        progress.phase("s", "v", "building")
        progress.advance()
        progress.close()
        assert self.written(stream) == ""

    def test_a_terminal_gets_a_line_that_is_redrawn(self) -> None:
        stream = self.terminal()
        progress = progress_for(stream, quiet=False, interactive=True)
        progress.start(1)
        progress.phase("s", "v", "building")
        assert self.written(stream) == "\r\x1b[2K1/1 · s[v] building"

    def test_a_log_has_neither_carriage_returns_nor_escapes(self) -> None:
        stream = self.terminal()
        progress = progress_for(stream, quiet=False, interactive=False)
        progress.start(1)
        progress.phase("s", "v", "building")
        assert self.written(stream) == "infperf 1/1 · s[v] building\n"

    @pytest.mark.parametrize("interactive", [True, False])
    def test_ascii_streams_get_ascii(self, interactive: bool) -> None:
        stream = self.terminal("ascii")
        progress = progress_for(stream, quiet=False, interactive=interactive)
        progress.start(1)
        progress.phase("größe", "v", "building")
        assert "1/1 | gro?e[v] building" in self.written(stream)
