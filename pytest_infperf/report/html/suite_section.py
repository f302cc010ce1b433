"""The section of a suite on the page: its tables, figures, settings and evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_infperf.records.file import in_json
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record, RunRecord
from pytest_infperf.report.history_panels import HistoryPanels
from pytest_infperf.report.html.figures import Figure, figures
from pytest_infperf.report.html.page_tables import PageTable, page_table
from pytest_infperf.report.html.summary import Card, suite_card
from pytest_infperf.report.problems import at_try, reasons_for_slowness
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.cells import Cell
from pytest_infperf.report.tables.columns import Column, filled_columns
from pytest_infperf.report.tables.generated_text import generated_text_tables
from pytest_infperf.report.tables.points import PointTable, filled_records, point_tables
from pytest_infperf.serving.capacity import CapacityPlan, Demand, instance_capacities

_PLANNED_RATES = (10, 100, 1000)
"""Rates, in requests per second, for which the page shows the number of instances."""
_ORDER = {"variant": 0, "verdict": 1, "regression": 2, "speed-up": 3, "threads": 5}
_ELSEWHERE = 4
"""Positions of the first columns, which a narrow screen shows without scrolling."""


@dataclass(frozen=True)
class SuiteSection:
    """Contents of a suite's section, for the template."""

    name: str
    summary: Card
    baseline: str
    """Id of the baseline; empty if the suite has none."""
    results: PageTable
    """The result table, with the variant and its verdict in the first two columns."""
    further_tables: Sequence[PageTable]
    """The tables of generated text, sweeps, protocols, loads and capacity."""
    slow_variants: Sequence[tuple[str, str]]
    """Id of each variant that is slower than the baseline, and the possible reasons."""
    figures: Sequence[Figure]
    details: Sequence[tuple[str, str]]
    """Id of each variant, and its settings, evidence and gates as JSON text."""


def suite_section(suite: str, run: RunRecord, history: HistoryPanels, link: str) -> SuiteSection:
    """Return the section of a suite; `link` is its id."""
    records = [record for record in run.records if record.suite == suite]
    baselines = (record.settings.baseline_id for record in records)
    columns = filled_columns(records, always_shown=("verdict",))
    columns.sort(key=lambda column: _ORDER.get(column.key, _ELSEWHERE))
    return SuiteSection(
        suite,
        suite_card(suite, records, str((run.against or {}).get("name", "")), link),
        next((str(baseline) for baseline in baselines if baseline), ""),
        _table("results", columns, records),
        [
            *(
                _further_table(table, filled_records(records, table))
                for table in (*generated_text_tables(records), *point_tables(records))
            ),
            *_capacity_tables(suite, run),
        ],
        [
            (record.variant, "; ".join(reasons))
            for record in records
            if (reasons := reasons_for_slowness(record))
        ],
        list(figures(suite, records, history)),
        [(record.variant, _details(record)) for record in records],
    )


def _table(
    title: str, columns: Sequence[Column], records: Sequence[Record], notes: Sequence[str] = ()
) -> PageTable:
    return page_table(
        title,
        [column.header for column in columns],
        [[column.make_cell(record) for column in columns] for record in records],
        notes,
    )


def _further_table(table: PointTable, records: Sequence[Record]) -> PageTable:
    """Return a table below the results, without its empty columns."""
    columns = [
        column
        for column in table.columns
        if any(column.make_cell(record) != cells.EMPTY for record in records)
    ]
    return _table(table.title, columns, records, table.notes)


def _capacity_tables(suite: str, run: RunRecord) -> list[PageTable]:
    """Return the table of instances by rate; an empty list if no rate was measured."""
    capacities = [c for c in instance_capacities([run]) if c.suite == suite]
    if not capacities:
        return []
    rows = []
    for capacity in capacities:
        plans = [CapacityPlan(capacity, Demand(rate)) for rate in _PLANNED_RATES]
        cost = plans[-1].usd_per_million
        texts = [
            capacity.variant,
            capacity.sustained,
            *(f"{plan.instances:,}" for plan in plans),
            "-" if cost is None else format_value(cost, "usd"),
        ]
        rows.append([Cell(text) for text in texts])
    demand = Demand(_PLANNED_RATES[-1])
    instances = [f"instances for {rate:,}/s" for rate in _PLANNED_RATES]
    note = (
        f"At {demand.utilisation:.0%} of that rate, with {demand.spare} spare; the cost is "
        f"that of a million requests at {demand.rate:,g}/s. `infperf plan` accepts any rate."
    )
    return [page_table("Capacity", ["variant", "one sustains", *instances, "cost"], rows, [note])]


def _details(record: Record) -> str:
    settings, evidence = in_json(record.settings), in_json(record.evidence)
    evidence.pop("latency_percentiles_s", None)
    gates = [
        f"{gate.verdict}{at_try(gate)}: {gate.why} ({gate.limit}, {gate.source})"
        for gate in record.gates
    ]
    details = {"settings": settings, "evidence": evidence, "gates": gates}
    return json.dumps(details, indent=2, ensure_ascii=False)
