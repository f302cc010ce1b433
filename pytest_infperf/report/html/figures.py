"""Figures of a suite on the page: plots of its measures, with captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.quantity import read_back
from pytest_infperf.records.record import Record
from pytest_infperf.report import plots
from pytest_infperf.report.history_panels import HistoryPanels
from pytest_infperf.report.plots import PlotPoint
from pytest_infperf.report.tables.columns import METRIC_HEADERS, quality_metric
from pytest_infperf.report.tables.points import sweep_of_latency, sweeps

FRONT_CAPTION = (
    "The line joins the variants that no other beats on both axes. Point at a dot to see its name."
)


@dataclass(frozen=True)
class Figure:
    title: str
    svg: str
    caption: str = ""


def figures(suite: str, records: Sequence[Record], history: HistoryPanels) -> Iterator[Figure]:
    """Yield the figures of a suite; figures without measured values are omitted."""
    yield from _speedups(records)
    yield from _regressions(records)
    yield from _latency_distributions(records)
    yield from _latency_sweeps(records)
    yield from _fronts(records)
    for panel, lines in history.items():
        yield Figure(
            f"History of {panel}",
            plots.history(f"{suite}, {panel}", {panel: lines}),
            "A ring marks the first run of a new level.",
        )


def _speedups(records: Sequence[Record]) -> Iterator[Figure]:
    speedups = {r.variant: r.measures["speedup"] for r in records if "speedup" in r.measures}
    if speedups:
        yield Figure(
            "Speed-up over the baseline",
            plots.ratios(speedups, "times as fast as the baseline"),
            "Bars are the intervals of the paired ratio.",
        )


def _regressions(records: Sequence[Record]) -> Iterator[Figure]:
    ratios = {
        r.variant: _as_ratio(r.measures["regression"])
        for r in records
        if "regression" in r.measures
    }
    limits = {
        record.variant: 1 + limit
        for record in records
        if record.variant in ratios and (limit := _limit_on(record, "regression")) is not None
    }
    if ratios:
        yield Figure(
            "Time against the other revision",
            plots.ratios(ratios, "query time relative to the other revision", limits),
            "Values above 1 are slower than before."
            + (" The dashed line is the limit." if limits else ""),
        )


def _latency_distributions(records: Sequence[Record]) -> Iterator[Figure]:
    percentiles_s = {
        r.variant: r.evidence.latency_percentiles_s
        for r in records
        if r.evidence.latency_percentiles_s
    }
    if percentiles_s:
        yield Figure(
            "Latency distributions",
            plots.distributions(percentiles_s),
            "The thin line reaches from p1 to p99, the thick one from p25 to p75; the mark is p50.",
        )


def _latency_sweeps(records: Sequence[Record]) -> Iterator[Figure]:
    for parameter in sweeps(records):
        lines = {r.variant: line for r in records if (line := sweep_of_latency(r, parameter))}
        yield Figure(
            f"Latency by {parameter}",
            plots.sweep(lines, parameter, "median latency of a query, ms"),
            "Both axes are logarithmic, so a straight line is a power law.",
        )


def _fronts(records: Sequence[Record]) -> Iterator[Figure]:
    """Yield quality against latency, and against cost if the price of the host is known."""
    metric = quality_metric(records)
    if metric is None:
        return
    for title, measure, scale, label in (
        ("Speed and quality", "latency_p50", 1e3, "median latency of a query, ms"),
        ("Cost and quality", "cost_per_million", 1, "USD for a million requests"),
    ):
        points = [
            PlotPoint(r.variant, scale * r.measures[measure].value, r.measures[metric].value)
            for r in records
            if measure in r.measures and metric in r.measures
        ]
        if points:
            y_label = METRIC_HEADERS.get(metric, metric)
            higher_is_better = False not in {r.evidence.quality_higher_is_better for r in records}
            yield Figure(
                title,
                plots.front(points, label, y_label, higher_is_better=higher_is_better),
                FRONT_CAPTION,
            )


def _limit_on(record: Record, measure: str) -> float | None:
    """Return the value of a limit on a measure; None if there is none."""
    texts = (gate.limit.partition("=")[2] for gate in record.gates if gate.measure == measure)
    return next((read_back(text.strip().strip("\"'")) for text in texts), None)


def _as_ratio(regression: Measure) -> Measure:
    low, high = (None if b is None else 1 + b for b in (regression.low, regression.high))
    return Measure(1 + regression.value, "ratio", low, high, regression.n)
