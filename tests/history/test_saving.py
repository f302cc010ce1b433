"""Runs that end at the same time save one after the other."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from pytest_infperf.history.saving import one_at_a_time


def test_one_saves_while_the_others_wait(tmp_path: Path) -> None:
    """Each run numbers its file by the existing ones, as pytest-benchmark does; none is lost."""

    def save() -> None:
        with one_at_a_time(tmp_path, saves=True):
            number = len(list(tmp_path.iterdir())) + 1
            time.sleep(0.02)
            (tmp_path / f"{number:04}.json").write_text("saved")

    threads = [threading.Thread(target=save) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.iterdir())) == 5


def test_a_run_that_does_not_save_does_not_wait(tmp_path: Path) -> None:
    with one_at_a_time(tmp_path, saves=True), one_at_a_time(tmp_path, saves=False):
        assert list(tmp_path.iterdir()) == []
