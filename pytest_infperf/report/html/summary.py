"""The cards at the top of a page: the main result of each suite in one number and a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_infperf.cost.merged import Row, able, are_judged, cheapest
from pytest_infperf.records.points import base_of, point_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import GateRecord, Record, Verdict
from pytest_infperf.report.html.page_tables import MARKS
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import METRIC_HEADERS, quality_metric


@dataclass(frozen=True)
class Card:
    """A result with its main number."""

    title: str
    number: str
    sentence: str
    unit: str = ""
    """Words after the number, such as `as fast as torch`."""
    facts: Sequence[str] = ()
    mark: str = ""
    """The worst verdict; empty if nothing was judged."""
    is_bad: bool = False
    """Whether the number breaks a limit."""
    link: str = ""
    """Id of the section that the title links to; empty without one."""


def suite_card(suite: str, records: Sequence[Record], against: str, link: str) -> Card:
    """Return the card of a suite: its worst regression, or the fastest variant within its limits.

    Parameters
    ----------
    suite
        The name of the suite.
    records
        Its records.
    against
        The name of the other revision; empty if there is none.
    link
        The id of the suite's section.
    """
    marks = {cells.verdict(record).head.lower() for record in records}
    mark = next((word for word in MARKS if word in marks), "")
    worst = _worst_regression(records)
    if worst:
        return _regression_card(suite, worst, against, mark, link)
    rows = [Row("", record, record.measures.get("cost_per_million")) for record in records]
    candidates = [row.record for row in able(rows)]
    fastest = _fastest(candidates)
    if fastest is None and (broken := next(_broken(records), None)):
        return _broken_card(suite, *broken, mark, link)
    if fastest is None:
        why = "No variant was timed." if candidates else "No variant meets every limit."
        return Card(suite, "–", why, mark=mark, link=link)
    facts = [*_facts(fastest), *_cost_facts(rows)]
    if any("regression" in record.measures for record in records):
        facts.append(f"no variant is clearly slower than at {against}")
    which = "that meets every limit" if are_judged(rows) else "(no limit was judged)"
    number, unit = _speed(fastest)
    sentence = f"{fastest.variant} is the fastest variant {which}."
    return Card(suite, number, sentence, unit, facts, mark, link=link)


def _regression_card(suite: str, record: Record, against: str, mark: str, link: str) -> Card:
    verdicts = {gate.verdict for gate in record.gates if gate.measure == "regression"}
    allowed = ", within its limit" if verdicts == {Verdict.PASS} else ""
    change = cells.regression(record)
    return Card(
        suite,
        change.head,
        f"{record.variant} is slower than at {against}{allowed}.",
        "query time",
        [f"confidence interval {change.tail} %"],
        mark,
        is_bad=Verdict.FAIL in verdicts,
        link=link,
    )


def _broken(records: Sequence[Record]) -> Iterator[tuple[Record, GateRecord]]:
    """Yield each broken limit on a measure with a value, with its record."""
    for record in records:
        for gate in record.gates:
            if gate.verdict is Verdict.FAIL and gate.measure in record.measures:
                yield record, gate


def _broken_card(suite: str, record: Record, gate: GateRecord, mark: str, link: str) -> Card:
    measure = record.measures[gate.measure]
    return Card(
        suite,
        format_value(measure.value, measure.unit),
        f"{record.variant} breaks its limit: {gate.limit}. No variant meets every limit.",
        gate.measure,
        mark=mark,
        is_bad=True,
        link=link,
    )


def _worst_regression(records: Sequence[Record]) -> Record | None:
    """Return the record with the largest regression whose interval excludes 0."""
    slower = [
        record
        for record in records
        if (change := record.measures.get("regression")) and (change.low or 0) > 0
    ]
    return max(slower, key=lambda r: r.measures["regression"].value, default=None)


def _fastest(records: Sequence[Record]) -> Record | None:
    """Return the record with the highest speed-up, or with the lowest latency without speed-ups."""
    paired = [record for record in records if "speedup" in record.measures]
    if paired:
        best = max(paired, key=lambda record: record.measures["speedup"].value)
        baseline = next(filter(cells.is_baseline, records), None)
        return baseline if baseline and best.measures["speedup"].value < 1 else best
    timed = [record for record in records if "latency_p50" in record.measures]
    if timed:
        return min(timed, key=lambda record: record.measures["latency_p50"].value)
    loaded = [record for record in records if _heaviest_load(record)]
    return max(loaded, key=lambda r: r.measures[_heaviest_load(r)].value, default=None)


def _heaviest_load(record: Record) -> str:
    """Return the measure of the load with the most requests per hour; empty without a load."""
    rates = [name for name in record.measures if base_of(name) == "requests_per_hour"]
    return max(rates, key=lambda name: record.measures[name].value, default="")


def _speed(record: Record) -> tuple[str, str]:
    speedup = record.measures.get("speedup")
    if speedup:
        return format_value(speedup.value, speedup.unit), (
            f"as fast as {record.settings.baseline_id or 'the baseline'}"
        )
    if latency := record.measures.get("latency_p50"):
        return format_value(latency.value, latency.unit), "median latency"
    name = _heaviest_load(record)
    return f"{record.measures[name].value:,.0f}", f"requests/h under load {point_of(name)}"


def _facts(record: Record) -> Iterator[str]:
    if "speedup" in record.measures:
        yield f"confidence interval {cells.speedup(record).tail}"
    metric = quality_metric([record])
    if metric and metric in record.measures:
        cell = cells.quality(metric)(record)
        difference = f" {cell.tail}" if cell.tail else ""
        yield f"{METRIC_HEADERS.get(metric, metric)} {cell.head}{difference}"


def _cost_facts(rows: Sequence[Row]) -> Iterator[str]:
    best = cheapest(rows)
    if best and best.cost:
        cost = format_value(best.cost.value, best.cost.unit)
        yield f"lowest cost: {cost} for a million requests, by {best.record.variant}"
