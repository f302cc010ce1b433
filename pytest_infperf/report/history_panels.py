"""The history of each measure of a suite, as panels to plot that end with the current run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytest_infperf.history.series import Series, Shift, series_of, shifts_of
from pytest_infperf.history.store import HistoryStore, SavedRun
from pytest_infperf.records.record import RunRecord
from pytest_infperf.report.plots import HistoryLine

CONFIDENCE = 0.99
_MAX_RUNS = 50

HistoryPanels = Mapping[str, Sequence[HistoryLine]]
"""The panel of each measure: one line per variant."""


def suite_histories(
    run: RunRecord, storage: Path, report_skipped: Callable[[str], None] = lambda reason: None
) -> dict[str, HistoryPanels]:
    """Return the panels of each suite of a run; an empty dict if no earlier run was saved.

    `report_skipped` is called for each saved run that cannot be read.
    """
    saved_runs = HistoryStore(storage, report_skipped).runs[-_MAX_RUNS:]
    if not saved_runs:
        return {}
    when = datetime.fromisoformat(run.when) if run.when else datetime.now(UTC)
    all_series = series_of([*saved_runs, SavedRun(Path("this run"), when, run)])
    return {
        suite: history_panels(
            shifts_of(
                [
                    series
                    for series in all_series
                    if series.suite == suite and len(series.values) > 1
                ],
                CONFIDENCE,
            )
        )
        for suite in dict.fromkeys(record.suite for record in run.records)
    }


def history_panels(series_with_shifts: Sequence[tuple[Series, Sequence[Shift]]]) -> HistoryPanels:
    """Return a panel per measure, and per kind of host where the measure depends on the host."""
    panels: dict[str, list[HistoryLine]] = {}
    for series, shifts in series_with_shifts:
        title = f"{series.measure} on {series.host}" if series.host else series.measure
        line = HistoryLine(
            series.variant,
            [f"{run.when:%m-%d %H:%M}\n{run.commit[:7]}" for run in series.runs],
            series.values,
            series.unit,
            [shift.index for shift in shifts],
        )
        panels.setdefault(title, []).append(line)
    return panels
