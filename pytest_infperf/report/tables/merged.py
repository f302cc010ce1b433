"""Tables of records that several hosts measured: a row per host and variant, and the cheapest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.table import Table

from pytest_infperf.cost.merged import Row, as_cheap, cheapest
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report.markdown import escape, table_row
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import METRIC_HEADERS, quality_metric

_TEXT_HEADERS = ("instance", "variant", "verdict")


def table(suite: str, rows: Sequence[Row]) -> Table:
    """Return the table of a suite for the terminal."""
    table = Table(title=suite, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.padding = (0, 1, 0, 0)
    for header in _headers(rows):
        justify: Literal["left", "right"] = "left" if header in _TEXT_HEADERS else "right"
        table.add_column(header, justify=justify, overflow="fold", no_wrap=header != "instance")
    last_host = ""
    for host, *texts in map(_texts, rows):
        table.add_row(host if host != last_host else "", *texts)
        last_host = host
    return table


def markdown(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a suite's table in Markdown."""
    headers = _headers(rows)
    head, *lines = [
        table_row([escape(text) for text in texts]) for texts in (headers, *map(_texts, rows))
    ]
    return [head, "|" + "---|" * len(headers), *lines]


def conclusion(rows: Sequence[Row], prices: PriceTable) -> str:
    """Return which variant and host are the cheapest that meet every gate, or why none is."""
    best = cheapest(rows)
    if best and best.cost:
        cost = format_value(best.cost.value, best.cost.unit)
        return (
            f"cheapest that meets every gate: {best.record.variant} on {best.host}, {cost} for a "
            f"million requests (prices: {best.price_source}){_alike(as_cheap(rows, best))}"
        )
    if not any(row.cost for row in rows):
        return (
            "no cost: no host's instance type is known, or "
            f"{prices.path.name} has no price for it, or throughput was not measured"
        )
    return "none with a known cost meets every gate"


def _alike(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = ", ".join(f"{row.record.variant} on {row.host}" for row in rows)
    return f"; not clearly dearer: {names}"


def _headers(rows: Sequence[Row]) -> list[str]:
    metric = quality_metric([row.record for row in rows])
    quality = METRIC_HEADERS.get(metric, metric) if metric else "quality"
    return ["instance", "variant", "USD/1M", "p50", "p99", "samples/s", quality, "verdict"]


def _texts(row: Row) -> list[str]:
    """Return the text of each cell of a row."""
    record, cost = row.record, row.cost
    quality = record.measures.get(record.evidence.quality_metric or "")
    return [
        row.host,
        record.variant,
        format_value(cost.value, cost.unit).removesuffix(" USD") if cost else "-",
        *(cells.value_of(name)(record).head for name in ("latency_p50", "latency_p99")),
        cells.throughput(record).head,
        format_value(quality.value, quality.unit) if quality else "-",
        cells.verdict(record).head,
    ]
