"""Windows are scored from the rows of a runner, and compared with those of another one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_infperf.suite.perplexity import Window
from pytest_infperf.worker.messages import ScoreWindow
from pytest_infperf.worker.text_scoring import score

WINDOW = Window([2, 0, 1, 1], scored=2, size=7)
ROWS = [[0.2, 0.3, 0.5], [0.1, 0.7, 0.2], [0.6, 0.25, 0.15], [1.0, 0.0, 0.0]]


class Rows:
    """A runner that returns the same rows for any sequence."""

    def __init__(self, rows: Any) -> None:
        self.decoding: Any = {}
        self.threads = 1
        with np.errstate(divide="ignore"):
            self._rows = np.log(np.array(rows, np.float32))

    def infer(self, features: Any) -> Any:
        return features

    def log_probabilities(self, sequences: Any) -> list[Any]:
        return [self._rows for _ in sequences]


def test_the_last_tokens_are_scored_by_the_rows_before_them() -> None:
    done = score(Rows(ROWS), WINDOW, ScoreWindow(0, 10))
    assert done.nats == pytest.approx(-math.log(0.7) - math.log(0.25))
    assert (done.tokens, done.size, done.is_finite, done.positions) == (2, 7, True, 0)


def test_the_divergence_is_that_of_the_baseline_from_the_variant(tmp_path: Path) -> None:
    file = str(tmp_path / "0.npy")
    score(Rows(ROWS), WINDOW, ScoreWindow(0, 10, keep_in=file))
    assert np.load(file).dtype == np.float16
    others = [[1, 1, 1], [0.2, 0.6, 0.2], [0.3, 0.4, 0.3], [1, 1, 1]]
    done = score(Rows(others), WINDOW, ScoreWindow(0, 10, compare_with=file))
    by_hand = sum(
        p * math.log(p / q)
        for theirs, ours in zip(ROWS[1:3], others[1:3], strict=True)
        for p, q in zip(theirs, ours, strict=True)
    )
    assert done.divergence == pytest.approx(by_hand, rel=1e-3)
    assert done.positions == 2
    same = score(Rows(ROWS), WINDOW, ScoreWindow(0, 10, compare_with=file))
    assert same.divergence == pytest.approx(0, abs=1e-6)


def test_compared_tokens_are_spread_over_the_window(tmp_path: Path) -> None:
    tokens = [0, 1] * 6
    rows = [[(i + 1) / 20, 1 - (i + 1) / 20] for i in range(12)]
    score(Rows(rows), Window(tokens, 11, 11), ScoreWindow(0, 3, keep_in=str(tmp_path / "0.npy")))
    kept = np.exp(np.load(tmp_path / "0.npy").astype(float))[:, 0]
    assert kept == pytest.approx([1 / 20, 6 / 20, 11 / 20], rel=1e-3)


@pytest.mark.parametrize("value", [math.nan, 0.0, math.inf])
def test_a_probability_that_is_not_finite_is_reported(value: float, tmp_path: Path) -> None:
    rows = [ROWS[0], [0.3, 0.7, value], *ROWS[2:]]
    done = score(Rows(rows), WINDOW, ScoreWindow(0, 10, keep_in=str(tmp_path / "0.npy")))
    assert not done.is_finite
    assert not list(tmp_path.iterdir())


def test_rows_of_other_lengths_are_not_compared(tmp_path: Path) -> None:
    file = str(tmp_path / "0.npy")
    score(Rows(ROWS), WINDOW, ScoreWindow(0, 10, keep_in=file))
    wider = [[0.1, 0.7, 0.1, 0.1]] * 4
    done = score(Rows(wider), WINDOW, ScoreWindow(0, 10, compare_with=file))
    assert done.unlike == (
        "the variant returns the probabilities of 4 tokens, and the baseline of 3"
    )
    assert done.nats == pytest.approx(-2 * math.log(0.7))


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (ROWS[:3], "returned 3 rows for 4 tokens"),
        ([[1.0, 3.0, 2.0]] * 4, "add up to 6, not 1"),
    ],
)
def test_a_runner_that_returns_something_else_is_an_error(rows: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        score(Rows(rows), WINDOW, ScoreWindow(0, 10))
