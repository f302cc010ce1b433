"""The saved runs of a suite as courses to draw, with today's run at their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytest_infperf.history.series import Series, Shift, series_of
from pytest_infperf.history.store import HistoryStore, SavedRun
from pytest_infperf.records.record import RunRecord
from pytest_infperf.report.plots import Course

CONFIDENCE = 0.99
_MOST_RUNS = 50

Panels = Mapping[str, Sequence[Course]]
"""By measure, the courses of the variants."""


def history_courses(run: RunRecord, storage: Path) -> dict[str, Panels]:
    """By suite; empty where nothing was saved before."""
    past = HistoryStore(storage).runs()[-_MOST_RUNS:] if storage.is_dir() else []
    if not past:
        return {}
    when = datetime.fromisoformat(run.when) if run.when else datetime.now(UTC)
    found = series_of([*past, SavedRun(Path("this run"), when, run)])
    return {
        suite: panels(
            [(s, s.shifts(CONFIDENCE)) for s in found if s.suite == suite and len(s.values) > 1]
        )
        for suite in dict.fromkeys(record.suite for record in run.records)
    }


def panels(found: Sequence[tuple[Series, Sequence[Shift]]]) -> Panels:
    drawn: dict[str, list[Course]] = {}
    for series, shifts in found:
        name = f"{series.measure} on {series.host}" if series.host else series.measure
        drawn.setdefault(name, []).append(
            Course(
                series.variant,
                [f"{run.when:%m-%d %H:%M}\n{run.commit[:7]}" for run in series.runs],
                series.values,
                series.unit,
                [shift.index for shift in shifts],
            )
        )
    return drawn
