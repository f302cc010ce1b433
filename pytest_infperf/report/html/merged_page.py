"""The page of `infperf report --html`: records of several hosts, and the cheapest of each suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_infperf.cost.merged import Row, are_judged, cheapest
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.records.points import at
from pytest_infperf.records.quantity import format_value
from pytest_infperf.report import plots
from pytest_infperf.report.html.figures import FRONT_CAPTION, Figure
from pytest_infperf.report.html.page_tables import PageTable, page_table
from pytest_infperf.report.html.summary import Card, suite_card
from pytest_infperf.report.html.templates import template
from pytest_infperf.report.plots import PlotPoint
from pytest_infperf.report.tables import merged
from pytest_infperf.report.tables.cells import Cell


def merged_page(rows: Sequence[Row], prices: PriceTable, load: str = "") -> str:
    """Return the page as HTML text with all values escaped.

    Parameters
    ----------
    rows
        The rows of all suites, as `cost.merged.merge` returns them.
    prices
        The price table that the conclusions refer to.
    load
        The load that the servers were under; empty for workers.
    """
    suites = []
    for place, name in enumerate(dict.fromkeys(row.record.suite for row in rows), 1):
        own = [row for row in rows if row.record.suite == name]
        suites.append(
            {
                "title": f"{name} under load {load}" if load else name,
                "card": _card(name, own, f"suite-{place}"),
                "table": _table(own, load),
                "conclusion": merged.conclusion(own, prices),
                "figures": list(_figures(own, load)),
            }
        )
    runs = len({row.host for row in rows})
    page = template("merged.html.j2", beside=__name__)
    return str(page.render(suites=suites, runs=runs))


def _card(suite: str, rows: Sequence[Row], link: str) -> Card:
    best = cheapest(rows)
    if best is None or best.cost is None:
        is_known = any(row.cost for row in rows)
        if not is_known and len({row.host for row in rows}) == 1:
            return suite_card(suite, [row.record for row in rows], "", link)
        why = "No variant meets every limit." if is_known else "The cost is not known."
        return Card(suite, "–", why, link=link)
    which = "that meets every limit" if are_judged(rows) else "(no limit was judged)"
    return Card(
        suite,
        format_value(best.cost.value, best.cost.unit),
        f"{best.record.variant} on {best.host} is the cheapest variant {which}.",
        "for a million requests",
        link=link,
    )


def _table(rows: Sequence[Row], load: str) -> PageTable:
    headers, lines = merged.texts(rows, load)
    order = sorted(range(len(headers)), key=lambda i: _FIRST.get(headers[i], len(_FIRST)))
    return page_table(
        "Results",
        [headers[i] for i in order],
        [[Cell(line[i]) for i in order] for line in lines],
    )


_FIRST = {"variant": 0, "verdict": 1, "USD/1M": 2, "host": 3}
"""Positions of the first columns, which a narrow screen shows without scrolling."""


def _figures(rows: Sequence[Row], load: str) -> Iterator[Figure]:
    """Yield the figure of cost against latency, if a row has both."""
    p50 = at("latency_p50", load) if load else "latency_p50"
    points = [
        PlotPoint(
            f"{row.record.variant} on {row.host}",
            1e3 * row.record.measures[p50].value,
            row.cost.value,
        )
        for row in rows
        if row.cost and p50 in row.record.measures
    ]
    if points:
        yield Figure(
            "Latency and cost",
            plots.front(
                points, "median latency, ms", "USD for a million requests", higher_is_better=False
            ),
            FRONT_CAPTION,
        )
