"""A run's records -> the page: verdicts first, then each suite, then the host."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from pytest_infperf.errors import UserError
from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import GateRecord, Measure, Record, RunRecord, Verdict
from pytest_infperf.report import plots
from pytest_infperf.report.html.templates import template
from pytest_infperf.report.plots import Course, PlotPoint
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import METRIC_HEADERS, filled_columns
from pytest_infperf.report.tables.sweeps import measured_at, point_tables, series, swept
from pytest_infperf.serving.capacity import CapacityPlan, Demand, instance_capacities

_NEEDED = ("jinja2", "matplotlib")
_RATES = (10, 100, 1000)
"""Requests a second that the page says the instances for."""
_MARKS = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.INCONCLUSIVE: "inconclusive"}
_LOWER_IS_BETTER = frozenset({"wer", "cer"})


@dataclass(frozen=True)
class Trouble:
    """A gate that did not pass, or what could not be measured."""

    mark: str
    variant: str
    why: str
    remedy: str
    source: str


@dataclass(frozen=True)
class Figure:
    title: str
    svg: str
    note: str = ""


@dataclass(frozen=True)
class PlainTable:
    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[tuple[str, str]]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class SuitePart:
    name: str
    baseline: str
    headers: Sequence[str]
    rows: Sequence[Sequence[tuple[str, str]]]
    """Head and tail of each cell; variant and verdict come first."""
    marks: Sequence[str]
    point_tables: Sequence[PlainTable]
    slower: Sequence[tuple[str, str]]
    """By variant, why it may be slower than the baseline."""
    figures: Sequence[Figure]
    details: Sequence[tuple[str, str]]
    """By variant, settings and evidence as JSON text."""


def check_available() -> None:
    """Raises UserError, before anything is measured, where the page could not be made."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"--infperf-html needs {' and '.join(missing)}: pip install 'pytest-infperf[html]'"
        )


def page(run: RunRecord, history: Mapping[str, Mapping[str, Sequence[Course]]] = {}) -> str:
    """The whole page; `history` has panels of courses by suite. All text of others is escaped."""
    troubles = _troubles(run.records)
    gates = [gate.verdict for record in run.records for gate in record.gates]
    counts = {mark: gates.count(verdict) for verdict, mark in _MARKS.items()}
    counts["error"] = sum(len(record.errors) for record in run.records)
    names = dict.fromkeys(record.suite for record in run.records)
    return str(
        template("page.html.j2").render(
            run=run,
            counts=counts,
            verdict=_verdict(counts),
            troubles=troubles,
            suites=[_suite(name, run, history.get(name, {})) for name in names],
            host_name=", ".join(host_names(run.host)) or "unknown CPU",
            host=[
                (name, _host_value(value)) for name, value in run.host.items() if value is not None
            ],
        )
    )


def _verdict(counts: Mapping[str, int]) -> str:
    worst = next((mark for mark in ("fail", "error", "inconclusive") if counts[mark]), None)
    return worst or ("pass" if counts["pass"] else "none")


def _troubles(records: Sequence[Record]) -> list[Trouble]:
    found = [
        Trouble(
            _MARKS[verdict], f"{record.suite}[{record.variant}]", gate.why, gate.remedy, gate.source
        )
        for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)
        for record in records
        for gate in record.gates
        if gate.verdict is verdict
    ]
    return found + [
        Trouble("error", f"{record.suite}[{record.variant}]", error, "", "")
        for record in records
        for error in record.errors
    ]


def _suite(name: str, run: RunRecord, history: Mapping[str, Sequence[Course]]) -> SuitePart:
    records = [record for record in run.records if record.suite == name]
    columns = filled_columns(records)
    # A wide table scrolls: the verdict must be seen without it.
    columns.sort(key=lambda column: {"variant": 0, "verdict": 1}.get(column.key, 2))
    details = [
        (record.variant, json.dumps(_described(record), indent=2, ensure_ascii=False, default=str))
        for record in records
    ]
    baseline = next(
        (r.settings["baseline_id"] for r in records if r.settings.get("baseline_id")), ""
    )
    return SuitePart(
        name,
        str(baseline),
        [column.header for column in columns],
        [[column.write(record) for column in columns] for record in records],
        [cells.verdict(record)[0].lower() for record in records],
        [
            PlainTable(
                table.title,
                [column.header for column in table.columns],
                [
                    [column.write(record) for column in table.columns]
                    for record in measured_at(records, table.columns)
                ],
                table.notes,
            )
            for table in point_tables(records)
        ]
        + _capacity(name, run),
        [(r.variant, "; ".join(why)) for r in records if (why := cells.slower_than_baseline(r))],
        _figures(name, records, history),
        details,
    )


def _capacity(suite: str, run: RunRecord) -> list[PlainTable]:
    """Instances for some rates, from what one was seen to sustain under its latency limit."""
    capacities = [c for c in instance_capacities([run]) if c.suite == suite]
    if not capacities:
        return []
    rows = []
    for capacity in capacities:
        plans = [CapacityPlan(capacity, Demand(rate)) for rate in _RATES]
        price = plans[-1].usd_per_million
        texts = [capacity.variant, format_value(capacity.rate, "requests/s")]
        texts += [f"{plan.instances:,}" for plan in plans]
        texts.append("-" if price is None else format_value(price, "usd"))
        rows.append([(text, "") for text in texts])
    demand = Demand(_RATES[-1])
    headers = [f"instances for {rate:,}/s" for rate in _RATES]
    note = (
        f"At {demand.utilisation:.0%} of the highest rate, {demand.spare} to spare; the cost is of "
        f"a million requests at {_RATES[-1]:,}/s. `infperf plan` takes any rate."
    )
    return [PlainTable("Capacity", ["variant", "one sustains", *headers, "cost"], rows, [note])]


def _described(record: Record) -> dict[str, Any]:
    evidence = {k: v for k, v in record.evidence.items() if k != "latency_percentiles_s"}
    return {"settings": record.settings, "evidence": evidence, "gates": _gates(record.gates)}


def _gates(gates: Sequence[GateRecord]) -> list[str]:
    return [f"{gate.verdict}: {gate.why} ({gate.limit}, {gate.source})" for gate in gates]


def _figures(
    suite: str, records: Sequence[Record], history: Mapping[str, Sequence[Course]]
) -> list[Figure]:
    figures = []
    speedups = {r.variant: r.measures["speedup"] for r in records if "speedup" in r.measures}
    if speedups:
        figures.append(
            Figure(
                "Speed-up over the baseline",
                plots.ratios(speedups, "times as fast as the baseline"),
                "Bars are the intervals of the paired ratio.",
            )
        )
    regressions = {
        r.variant: _as_ratio(r.measures["regression"])
        for r in records
        if "regression" in r.measures
    }
    if regressions:
        figures.append(
            Figure(
                "Time against the other revision",
                plots.ratios(regressions, "time of a query over its time at the other revision"),
                "Right of 1 is slower than before.",
            )
        )
    percentiles = {
        r.variant: r.evidence["latency_percentiles_s"]
        for r in records
        if r.evidence.get("latency_percentiles_s")
    }
    if percentiles:
        figures.append(Figure("Latency distributions", plots.distributions(percentiles)))
    for parameter in swept(records):
        lines = {r.variant: its for r in records if (its := series(r, parameter))}
        figures.append(
            Figure(
                f"Latency by {parameter}",
                plots.sweep(lines, parameter, "median latency of a query, ms"),
                "Both axes are logarithmic: a straight line is a power of the parameter.",
            )
        )
    figures += _fronts(records)
    if history:
        figures.append(
            Figure(
                "History",
                plots.courses(suite, history),
                "A ring marks the first run of a new level.",
            )
        )
    return figures


def _fronts(records: Sequence[Record]) -> list[Figure]:
    """Quality against what it costs: time, and money where the price is known."""
    metric = next((str(m) for r in records if (m := r.evidence.get("quality_metric"))), None)
    if metric is None:
        return []
    name = METRIC_HEADERS.get(metric, metric)
    milliseconds: Callable[[float], float] = lambda seconds: 1e3 * seconds  # noqa: E731
    found = []
    for measure, label, title, scale in (
        ("latency_p50", "median latency of a query, ms", "Speed and quality", milliseconds),
        ("cost_per_million", "USD for a million requests", "Cost and quality", float),
    ):
        points = [
            PlotPoint(r.variant, scale(r.measures[measure].value), r.measures[metric].value)
            for r in records
            if measure in r.measures and metric in r.measures
        ]
        if points:
            picture = plots.front(points, label, name, y_rises=metric not in _LOWER_IS_BETTER)
            note = "The line joins the variants that no other beats in both."
            found.append(Figure(title, picture, note))
    return found


def _as_ratio(regression: Measure) -> Measure:
    low, high = (None if b is None else 1 + b for b in (regression.low, regression.high))
    return Measure(1 + regression.value, "ratio", low, high, regression.n)


def _host_value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
