"""Tables of records of several hosts: a row per host and variant, and the cheapest one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.text import Text

from pytest_infperf.cost.merged import Row, are_judged, as_cheap, cheapest
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.records.points import at
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report.markdown import escape, table_row
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import METRIC_HEADERS, quality_metric
from pytest_infperf.report.tables.grouped import Group, table_lines

_HOST = "host"
_TEXT_HEADERS = {"variant", "verdict"}


def lines(title: str, rows: Sequence[Row], width: int, load: str = "") -> Iterator[Text]:
    """Yield the lines of a suite's table for the terminal, or of its servers under a load."""
    columns = {name: text_of for name, text_of in _columns(rows, load).items() if name != _HOST}
    groups: dict[str, Group] = {}
    for row in rows:
        first, *texts = (text_of(row) for text_of in columns.values())
        group = groups.setdefault(row.host, Group(row.host))
        group.rows.append([Text(text) for text in (f"  {first}", *texts)])
    yield Text(title, "italic")
    yield from table_lines(
        list(columns), list(groups.values()), columns.keys() - _TEXT_HEADERS, width
    )


def markdown(rows: Sequence[Row], load: str = "") -> list[str]:
    """Return the lines of a suite's table in Markdown, or of its servers under a load."""
    headers, lines = texts(rows, load)
    escaped = [table_row([escape(text) for text in line]) for line in lines]
    return [table_row(headers), "|" + "---|" * len(headers), *escaped]


def texts(rows: Sequence[Row], load: str = "") -> tuple[list[str], list[list[str]]]:
    """Return the headers of a suite's table, and the texts of its rows."""
    columns = _columns(rows, load)
    return list(columns), [[text_of(row) for text_of in columns.values()] for row in rows]


def conclusion(rows: Sequence[Row], prices: PriceTable) -> str:
    """Return a sentence about the cheapest variant that meets every limit, or why there is none."""
    best = cheapest(rows)
    if best and best.cost:
        cost = format_value(best.cost.value, best.cost.unit)
        which = "that meets every limit" if are_judged(rows) else "(no limit was judged)"
        return (
            f"cheapest {which}: {best.record.variant} on {best.host}, {cost} for a "
            f"million requests (prices: {best.price_source}){_alike(as_cheap(rows, best))}"
        )
    if not any(row.cost for row in rows):
        return (
            "no cost: no host's instance type is known, or "
            f"{prices.path.name} has no price for it, or throughput was not measured"
        )
    return "no variant with a known cost meets every limit"


def _alike(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    names = ", ".join(f"{row.record.variant} on {row.host}" for row in rows)
    return f"; not clearly more expensive: {names}"


def _columns(rows: Sequence[Row], load: str) -> dict[str, Callable[[Row], str]]:
    """Return the columns by header: each is a function that returns the text of a row's cell.

    Columns without a value in any row are omitted.
    """
    metric = quality_metric([row.record for row in rows]) or ""
    name = partial(at, point=load) if load else str
    speed = (
        {
            "requests/h": _value(name("requests_per_hour"), " requests/h"),
            "tokens/s": _value(name("token_throughput"), f" {cells.TOKEN_RATE_UNIT}"),
            "errors": _value(name("error_rate")),
        }
        if load
        else {
            "samples/s": _value("throughput", f" {cells.RATE_UNIT}"),
            "tokens/s": _value("output_tokens_rate", f" {cells.TOKEN_RATE_UNIT}"),
        }
    )
    columns: dict[str, Callable[[Row], str]] = {
        _HOST: lambda row: row.host,
        "variant": lambda row: row.record.variant,
        "USD/1M": _cost,
        "p50": _value(name("latency_p50")),
        "p99": _value(name("latency_p99")),
        "TTFT p99": _value(name("ttft_p99")),
        "ITL p99": _value(name("itl_p99")),
        **speed,
        METRIC_HEADERS.get(metric, metric) or "quality": _value(metric),
        "verdict": lambda row: cells.verdict(row.record).head,
    }
    return {
        header: text_of
        for header, text_of in columns.items()
        if any(text_of(row) != cells.EMPTY.head for row in rows)
    }


def _value(measure: str, unit: str = "") -> Callable[[Row], str]:
    """Return a function that returns a measure of a row, without the unit of the header."""
    return lambda row: cells.value_of(measure)(row.record).head.removesuffix(unit)


def _cost(row: Row) -> str:
    cost = row.cost
    return format_value(cost.value, cost.unit).removesuffix(" USD") if cost else "-"
