"""Records of several hosts in one table, each with its cost on the host that was measured.

Results are never projected from one instance type to another: only measured types have a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pytest_infperf.cost.billing import price_of_host
from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import at
from pytest_infperf.records.record import Record, RunRecord, Verdict


@dataclass(frozen=True)
class Row:
    """A variant on a host."""

    host: str
    record: Record
    cost: Measure | None
    """Cost of a million requests, in US dollars; None if the price or throughput is not known."""
    price_source: str = ""

    @property
    def meets_every_gate(self) -> bool:
        """Whether all gates pass without an error. A variant without gates does not meet any."""
        verdicts = {gate.verdict for gate in self.record.gates}
        return verdicts == {Verdict.PASS} and not self.record.errors


def merge(runs: Sequence[RunRecord], table: PriceTable, load: str = "") -> list[Row]:
    """Return the rows of all runs in their order.

    Runs that have the same variant on hosts of the same name are told apart by their commit and
    time. A run that is given twice counts once.

    Parameters
    ----------
    runs : sequence of RunRecord
        The runs.
    table : PriceTable
        Prices for hosts whose runs recorded none.
    load : str, optional
        The name of the load whose cost to use; by default that of `throughput`.
    """
    distinct = [run for number, run in enumerate(runs) if run not in runs[:number]]
    hosts = [next(iter(host_names(run.host)), "unknown host") for run in distinct]
    counts = Counter(
        (host, record.suite, record.variant)
        for host, run in zip(hosts, distinct, strict=True)
        for record in run.records
    )
    rows = []
    for number, (host, run) in enumerate(zip(hosts, distinct, strict=True), 1):
        if any(counts[host, record.suite, record.variant] > 1 for record in run.records):
            host = f"{host} ({_when_and_commit(run) or f'run {number}'})"
        rows += [_row(host, record, run, table, load) for record in run.records]
    return rows


def _when_and_commit(run: RunRecord) -> str:
    """Return commit and time of a run, as far as they are known."""
    commit = str((run.revision or {}).get("commit") or "")[:10]
    when = f"{datetime.fromisoformat(run.when):%Y-%m-%d %H:%M:%S}" if run.when else ""
    return ", ".join(filter(None, (commit, when)))


def cheapest(rows: Sequence[Row]) -> Row | None:
    """Return the row with the lowest cost among those that meet every limit; None if there is none.

    If no limit was judged in any row, all rows without an error are compared.
    """
    priced = [row for row in able(rows) if row.cost]
    return min(priced, key=lambda row: row.cost.value if row.cost else 0.0, default=None)


def are_judged(rows: Sequence[Row]) -> bool:
    """Return whether a limit was judged in any of the rows."""
    return any(row.record.gates for row in rows)


def able(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that meet every limit or, if no limit was judged, those without an error."""
    if are_judged(rows):
        return [row for row in rows if row.meets_every_gate]
    return [row for row in rows if not row.record.errors]


def as_cheap(rows: Sequence[Row], best: Row) -> list[Row]:
    """Return the other rows that qualify and are not clearly more expensive than the best.

    The interval of their cost is not entirely above that of the best.
    """
    highest = best.cost.high if best.cost else None
    return [
        row
        for row in able(rows)
        if row is not best
        and row.cost
        and (highest is None or row.cost.low is None or row.cost.low <= highest)
    ]


def _row(host: str, record: Record, run: RunRecord, table: PriceTable, load: str) -> Row:
    """Return the row of a record, with the cost that the run recorded.

    For an older run without a cost, it is computed from the throughput and the price of the host.
    """
    name = partial(at, point=load) if load else str
    if cost := record.measures.get(name("cost_per_million")):
        return Row(host, record, cost, str(run.host.get("price_source") or ""))
    throughput, price = record.measures.get(name("throughput")), price_of_host(run.host, table)
    if throughput is None or price is None:
        return Row(host, record, None)
    return Row(host, record, cost_per_million(throughput, price.usd_per_hour), price.source)
