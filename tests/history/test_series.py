"""Series of saved runs: the error probability is shared by all series of a comparison."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pytest_infperf.history.series import Series, shifts_of
from pytest_infperf.history.store import SavedRun
from tests.history.saved import run_record


def series(values: list[float]) -> Series:
    run = SavedRun(Path("x.json"), datetime(2026, 1, 1, tzinfo=UTC), run_record())
    return Series("suite", "variant", "latency_p50", "s", "host", [run] * len(values), values)


@pytest.mark.parametrize("step", [0.0, 0.2])
def test_many_series_share_the_error(step: float) -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(15):
        values = np.exp(rng.normal(0, 0.02, (20, 20)))
        values[0, 10:] *= 1 + step
        changed = [
            bool(shifts) for _, shifts in shifts_of([series(v) for v in values.tolist()], 0.99)
        ]
        assert changed[0] is bool(step)
        wrong += any(changed[1:])
    assert wrong <= 1


def test_one_series_has_all_of_the_error() -> None:
    values = [1.0, 1.01, 0.99, 1.02, 1.3, 1.29, 1.31, 1.3]
    ((_, shifts),) = shifts_of([series(values)], 0.99)
    assert shifts == series(values).shifts(0.99)
    assert shifts_of([], 0.99) == []
