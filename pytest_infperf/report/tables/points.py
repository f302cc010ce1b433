"""Tables of the measures at points: one per sweep, protocol and load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import GROWTH, at, base_of, parameter_and_value, point, point_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.cells import Cell, MakeCell
from pytest_infperf.report.tables.columns import Column
from pytest_infperf.report.tables.load_notes import load_notes

_SWEEP_MEASURE = "latency_p50"
_OF_EVERY_LOAD = ("requests_per_hour", "error_rate")
"""Measures of which each load has at least one; imported results may have no rate."""
_PROTOCOL_HEADERS = {
    "latency_mean": "average",
    "latency_p90": "p90",
    "latency_p99": "p99",
    "latency_min": "min",
    "latency_max": "max",
    "throughput": "samples/s",
}
"""Header of each measure, as in the tables of the studies that the protocols follow."""
_LOAD_HEADERS = {
    "highest_rate": "highest rate",
    "requests_per_hour": "per hour",
    "latency_mean": "average",
    "latency_p50": "p50",
    "latency_p99": "p99",
    "ttft_p50": "TTFT p50",
    "ttft_p99": "TTFT p99",
    "tpot_p50": "TPOT p50",
    "itl_p50": "ITL p50",
    "itl_p99": "ITL p99",
    "token_throughput": "tokens/s",
    "error_rate": "errors",
    "cpu_usage": "CPU",
    "peak_memory": "memory",
    "memory_growth": "growth",
    "energy_per_request": "energy",
    "estimated_energy_per_request": "energy (est.)",
    "cost_per_million": "USD/million",
}


@dataclass(frozen=True)
class PointTable:
    """The measures of a suite's variants at one point, or at the points of one sweep."""

    title: str
    columns: Sequence[Column]
    """Columns of the table; the first one contains the ids of the variants."""
    notes: Sequence[str] = ()
    """Remarks on how the values were measured, for the lines below the table."""


def point_tables(records: Sequence[Record]) -> Iterator[PointTable]:
    """Yield a table for each sweep, protocol and load of a suite."""
    for parameter, values in sweeps(records).items():
        yield _sweep_table(parameter, values)
    for protocol in _protocols(records):
        yield _protocol_table(protocol, records)
    for load in _loads(records):
        yield _load_table(load, records)


def filled_records(records: Sequence[Record], table: PointTable) -> list[Record]:
    """Return the records with a value in a column of the table other than the first."""
    return [
        record
        for record in records
        if any(column.make_cell(record) != cells.EMPTY for column in table.columns[1:])
    ]


def sweeps(records: Sequence[Record]) -> Mapping[str, Sequence[float]]:
    """Return for each swept parameter its values, in ascending order."""
    values: dict[str, set[float]] = {}
    loads = _loads(records)
    for name in _point_names(records):
        if name not in loads and (parsed := parameter_and_value(name)):
            parameter, value = parsed
            values.setdefault(parameter, set()).add(value)
    return {parameter: sorted(found) for parameter, found in values.items()}


def sweep_of_latency(record: Record, parameter: str) -> dict[float, Measure]:
    """Return a variant's median latency at each value of a parameter."""
    latencies = {}
    for name, measure in record.measures.items():
        parsed = parameter_and_value(point_of(name))
        if base_of(name) == _SWEEP_MEASURE and parsed and parsed[0] == parameter:
            latencies[parsed[1]] = measure
    return latencies


def _sweep_table(parameter: str, values: Sequence[float]) -> PointTable:
    columns = [
        Column(
            f"{value:g}", f"{value:g}", cells.value_of(at(_SWEEP_MEASURE, point(parameter, value)))
        )
        for value in values
    ]
    growth = Column("growth", GROWTH, _growth_cell(at(GROWTH, parameter)))
    return PointTable(f"p50 by {parameter}", [id_column(), *columns, growth])


def _protocol_table(protocol: str, records: Sequence[Record]) -> PointTable:
    columns = [
        Column(name, header, cells.without_rate_unit(at(name, protocol)))
        for name, header in _PROTOCOL_HEADERS.items()
    ]
    sources = ((record.evidence.protocols or {}).get(protocol) for record in records)
    return PointTable(
        f"protocol {protocol}",
        [id_column(), _requests_column(protocol), *columns],
        list(dict.fromkeys(source for source in sources if source)),
    )


def _load_table(load: str, records: Sequence[Record]) -> PointTable:
    columns = [
        Column(name, header, cells.without_rate_unit(at(name, load)))
        for name, header in _LOAD_HEADERS.items()
        if any(at(name, load) in record.measures for record in records)
    ]
    return PointTable(
        f"a server under load {load}",
        [id_column(), _requests_column(load), *columns],
        list(load_notes(load, records)),
    )


def _protocols(records: Sequence[Record]) -> list[str]:
    others = {*sweeps(records), *_loads(records)}
    names = [name for name in _point_names(records) if parameter_and_value(name) is None]
    return [name for name in names if name not in others]


def _loads(records: Sequence[Record]) -> list[str]:
    return [
        name
        for name in _point_names(records)
        if any(at(measure, name) in r.measures for r in records for measure in _OF_EVERY_LOAD)
    ]


def _point_names(records: Sequence[Record]) -> list[str]:
    names = (point_of(name) for record in records for name in record.measures)
    return list(dict.fromkeys(name for name in names if name))


def id_column() -> Column:
    return Column("variant", "variant", cells.variant_with_star, numeric=False)


def _requests_column(point_name: str) -> Column:
    def make_cell(record: Record) -> Cell:
        mean = record.measures.get(at("latency_mean", point_name))
        return Cell(f"{mean.n:,}") if mean else cells.EMPTY

    return Column("requests", "requests", make_cell)


def _growth_cell(measure: str) -> MakeCell:
    """Return a function that makes a cell of a growth's exponent, where 1 is linear growth."""

    def make_cell(record: Record) -> Cell:
        growth = record.measures.get(measure)
        if growth is None:
            return cells.EMPTY
        low, high = ("?" if b is None else format_value(b, "") for b in (growth.low, growth.high))
        return Cell(format_value(growth.value, ""), f"[{low}, {high}]")

    return make_cell
