"""Outcomes on disk: none is lost, none is tried twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_infperf.errors import UserError
from pytest_infperf.explore.store import Outcome, OutcomeFile, read

WHAT = {"suite": "echo", "factors": {"users": [1, 4]}}
ONE = Outcome("0:users=1", 0, {"users": 1}, response_s=0.1, cores=0.5)
KILLED = Outcome("0:users=4", 0, {"users": 4}, failure="memory ran out: 1 processes were killed")


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "explore.jsonl"
    store = OutcomeFile(path, WHAT)
    store.keep(ONE)
    store.keep(KILLED)
    again = OutcomeFile(path, WHAT)
    assert again.outcomes == [ONE, KILLED]
    assert again.keys == {ONE.key, KILLED.key}
    assert read(path) == (WHAT, [ONE, KILLED])


def test_a_line_that_was_cut_off_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "explore.jsonl"
    OutcomeFile(path, WHAT).keep(ONE)
    with path.open("a") as file:
        file.write('{"key": "0:users=4", "repl')
    again = OutcomeFile(path, WHAT)
    assert again.outcomes == [ONE]
    again.keep(KILLED)
    assert OutcomeFile(path, WHAT).outcomes == [ONE, KILLED]


def test_another_exploration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "explore.jsonl"
    OutcomeFile(path, WHAT).keep(ONE)
    with pytest.raises(UserError, match="suite was 'echo' and is 'other' now"):
        OutcomeFile(path, {**WHAT, "suite": "other"})
    assert OutcomeFile(path, WHAT).outcomes == [ONE]
