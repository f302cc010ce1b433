"""CPU time of the host, with /proc/stat and in a sandbox that hides it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_infperf.worker import clocks


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("cpu  1 2 3 40 50 6 7 8 9 0\ncpu0 1 2 3\n", 27),
        ("", None),
        ("intr 9 8 7 6 5 4 3 2 1\nctxt 5\n", None),
    ],
)
def test_busy_time_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, ticks: int | None
) -> None:
    (tmp_path / "stat").write_text(text)
    monkeypatch.setattr(clocks, "_STAT", tmp_path / "stat")
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert clocks.host_busy_ns() == (None if ticks is None else ticks * tick_ns)


def test_no_busy_time_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_STAT", tmp_path / "stat")
    assert clocks.host_busy_ns() is None
