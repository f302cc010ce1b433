"""Tables of merged records: a row a host and variant, and the cheapest that meets every gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.table import Table

from pytest_infperf.cost.merged import Row, cheapest
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report.markdown import text
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import METRIC_HEADERS


def _headers(rows: Sequence[Row]) -> list[str]:
    metric = next((m for row in rows if (m := row.record.evidence.quality_metric)), "")
    quality = METRIC_HEADERS.get(metric, metric) or "quality"
    return ["instance", "variant", "USD/1M", "p50", "p99", "samples/s", quality, "verdict"]


def _cells(row: Row) -> list[str]:
    record = row.record
    cost = row.cost
    quality = record.measures.get(record.evidence.quality_metric or "")
    return [
        row.host,
        record.variant,
        format_value(cost.value, cost.unit).removesuffix(" USD") if cost else "-",
        *(cells.value_of(name)(record)[0] for name in ("latency_p50", "latency_p99")),
        cells.rate(record)[0],
        format_value(quality.value, quality.unit) if quality else "-",
        cells.verdict(record)[0],
    ]


def table(suite: str, rows: Sequence[Row]) -> Table:
    table = Table(title=suite, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 1, 0, 0)
    for name in _headers(rows):
        is_text = name in ("instance", "variant", "verdict")
        justify: Literal["left", "right"] = "left" if is_text else "right"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != "instance")
    last = ""
    for row in rows:
        host, *others = _cells(row)
        table.add_row(host if host != last else "", *others)
        last = host
    return table


def markdown(rows: Sequence[Row]) -> list[str]:
    headers = _headers(rows)
    lines = [f"| {' | '.join(map(text, headers))} |", "|" + "---|" * len(headers)]
    return lines + [f"| {' | '.join(map(text, _cells(row)))} |" for row in rows]


def conclusion(rows: Sequence[Row], prices: PriceTable) -> str:
    best = cheapest(rows)
    if best and best.cost:
        cost = format_value(best.cost.value, best.cost.unit)
        return (
            f"cheapest that meets every gate: {best.record.variant} on {best.host}, {cost} for a "
            f"million requests (prices: {best.price_source})"
        )
    if not any(row.cost for row in rows):
        return (
            "no cost: no host's instance type is known, or "
            f"{prices.path.name} has no price for it, or throughput was not measured"
        )
    return "none with a known cost meets every gate"
