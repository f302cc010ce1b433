"""What was measured at points, as columns: a table a sweep, its values side by side, a protocol,
and a load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_infperf.records.evidence import LoadWindow
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import GROWTH, at, base_of, parameter_and_value, point, point_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import Record
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.cells import Cell, Write
from pytest_infperf.report.tables.columns import Column

_SHOWN = "latency_p50"
_PROTOCOL_HEADERS = {
    "latency_mean": "average",
    "latency_p90": "p90",
    "latency_p99": "p99",
    "latency_min": "min",
    "latency_max": "max",
    "throughput": "samples/s",
}
"""The columns of the study's table."""
_LOAD_HEADERS = {
    "highest_rate": "highest rate",
    "requests_per_hour": "per hour",
    "latency_mean": "average",
    "latency_p50": "p50",
    "latency_p99": "p99",
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
    title: str
    columns: Sequence[Column]
    """The variant's id first."""
    notes: Sequence[str] = ()
    """What to know of how it was measured."""


def point_tables(records: Sequence[Record]) -> Iterator[PointTable]:
    """A table a sweep, a protocol and a load, of the variants that they were measured for."""
    for parameter, values in swept(records).items():
        columns = [
            Column(f"{value:g}", f"{value:g}", cells.value_of(at(_SHOWN, point(parameter, value))))
            for value in values
        ]
        columns.append(Column("growth", GROWTH, _growth(at(GROWTH, parameter))))
        yield PointTable(f"p50 by {parameter}", [_ids(), *columns])
    for protocol in protocols(records):
        columns = [
            Column(name, header, cells.without_rate_unit(at(name, protocol)))
            for name, header in _PROTOCOL_HEADERS.items()
        ]
        requests = Column("requests", "requests", _requests(protocol))
        sources = ((record.evidence.protocols or {}).get(protocol) for record in records)
        notes = list(dict.fromkeys(source for source in sources if source))
        yield PointTable(f"protocol {protocol}", [_ids(), requests, *columns], notes)
    for load in loads(records):
        columns = [
            Column(name, header, cells.value_of(at(name, load)))
            for name, header in _LOAD_HEADERS.items()
            if any(at(name, load) in record.measures for record in records)
        ]
        requests = Column("requests", "requests", _requests(load))
        title = f"a server under load {load}"
        yield PointTable(title, [_ids(), requests, *columns], list(_notes(records, load)))


def measured_at(records: Sequence[Record], columns: Sequence[Column]) -> list[Record]:
    """The records that have something in a column other than the first."""
    return [r for r in records if any(c.write(r) != cells.NOTHING for c in columns[1:])]


def swept(records: Sequence[Record]) -> Mapping[str, Sequence[float]]:
    """By parameter the values at which any of the records was measured, ascending."""
    found: dict[str, set[float]] = {}
    under_load = loads(records)
    for name in _points(records):
        if name not in under_load and (its := parameter_and_value(name)):
            found.setdefault(its[0], set()).add(its[1])
    return {parameter: sorted(values) for parameter, values in found.items()}


def protocols(records: Sequence[Record]) -> list[str]:
    others = {*swept(records), *loads(records)}
    names = [name for name in _points(records) if parameter_and_value(name) is None]
    return [name for name in names if name not in others]


def _notes(records: Sequence[Record], load: str) -> Iterator[str]:
    """Who had which cores, whose generator is in doubt, and which workers died."""
    loaded = [(r, loads[load]) for r in records if load in (loads := r.evidence.loads or {})]
    servers = (record.settings.serving for record, _ in loaded)
    placements = dict.fromkeys(
        (tuple(server.server_cpus), tuple(server.generator_cpus)) for server in servers if server
    )
    for server_cpus, generator_cpus in placements:
        if set(server_cpus) & set(generator_cpus):
            yield "server and generator share their cores: each slows the other"
        elif server_cpus:
            cores = len(server_cpus) + len(generator_cpus)
            yield (
                f"the server had {len(server_cpus)} of {cores} cores and the generator the rest: "
                "with all of them, and load from elsewhere, it would answer more"
            )
    for record, evidence in loaded:
        if died := evidence.died_workers:
            lost = sum(evidence.errors.values())
            yield (
                f"{record.variant}: {died} of its workers died and were started again; "
                f"{lost} of {evidence.requests} requests failed"
            )
        windows = evidence.timeline
        if slow := [window for window in windows if window.slow_host]:
            yield (
                f"{record.variant}: the host was slower by a quarter or more in {len(slow)} of "
                f"{len(windows)} windows of {slow[0].seconds:.3g} s, with "
                f"{_errors(slow)} of {_errors(windows)} errors"
            )
        if spoilt := evidence.spoilt_runs:
            yield f"{record.variant}: measured {len(spoilt) + 1} times, for {spoilt[-1]} before"
        if doubt := evidence.doubt:
            yield f"{record.variant}: in doubt, for {doubt}"


def _errors(windows: Sequence[LoadWindow]) -> int:
    return sum(window.errors for window in windows)


def loads(records: Sequence[Record]) -> list[str]:
    """What was put on servers, by name."""
    return [
        point
        for point in _points(records)
        if any(at("requests_per_hour", point) in record.measures for record in records)
    ]


def series(record: Record, parameter: str, measure: str = _SHOWN) -> dict[float, Measure]:
    """A variant's measure by the parameter's value."""
    found = {}
    for name, value in record.measures.items():
        its = parameter_and_value(point_of(name))
        if base_of(name) == measure and its and its[0] == parameter:
            found[its[1]] = value
    return found


def _points(records: Sequence[Record]) -> list[str]:
    names = (point_of(name) for record in records for name in record.measures)
    return list(dict.fromkeys(name for name in names if name))


def _ids() -> Column:
    return Column("variant", "variant", cells.variant_with_star, numeric=False)


def _requests(protocol: str) -> Write:
    def write(record: Record) -> Cell:
        found = record.measures.get(at("latency_mean", protocol))
        return (f"{found.n:,}", "") if found else cells.NOTHING

    return write


def _growth(name: str) -> Write:
    """The exponent with its interval: 1 is linear."""

    def write(record: Record) -> Cell:
        found = record.measures.get(name)
        if found is None:
            return cells.NOTHING
        bounds = ["?" if b is None else format_value(b, "") for b in (found.low, found.high)]
        return format_value(found.value, ""), f"[{bounds[0]}, {bounds[1]}]"

    return write
