"""Outcomes on disk: none is lost, and no trial is run twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.explore.store import Outcome, OutcomeFile, read

EXPLORATION = {"suite": "echo", "factors": {"users": [1, 4]}}
ONE = Outcome("0:users=1", 0, {"users": 1}, response_s=0.1, cores=0.5)
KILLED = Outcome("0:users=4", 0, {"users": 4}, failure="memory ran out: 1 processes were killed")


def test_outcomes_that_were_added_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "explore.jsonl"
    store = OutcomeFile(path, EXPLORATION)
    store.add(ONE)
    store.add(KILLED)
    again = OutcomeFile(path, EXPLORATION)
    assert again.outcomes == [ONE, KILLED]
    assert again.keys == {ONE.key, KILLED.key}
    assert read(path) == (EXPLORATION, [ONE, KILLED])


def test_a_trial_whose_line_was_cut_off_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "explore.jsonl"
    OutcomeFile(path, EXPLORATION).add(ONE)
    with path.open("a") as file:
        file.write('{"key": "0:users=4", "repl')
    again = OutcomeFile(path, EXPLORATION)
    assert again.outcomes == [ONE]
    again.add(KILLED)
    assert OutcomeFile(path, EXPLORATION).outcomes == [ONE, KILLED]


def test_another_exploration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "explore.jsonl"
    OutcomeFile(path, EXPLORATION).add(ONE)
    message = "suite was 'echo' and is 'other' now. Use another file with --out"
    with pytest.raises(UserError, match=message):
        OutcomeFile(path, {**EXPLORATION, "suite": "other"})
    assert OutcomeFile(path, EXPLORATION).outcomes == [ONE]


@pytest.mark.parametrize("path", [Path("/dev/null"), Path("/")])
def test_a_device_or_a_folder_is_refused(path: Path) -> None:
    with pytest.raises(UserError, match=f"--out {path}: it is not a regular file"):
        OutcomeFile(path, EXPLORATION)
