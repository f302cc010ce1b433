"""Tables of a page: cells with their sort values, and tooltips of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_infperf.records.quantity import read_back
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.cells import Cell

_TEXT_COLUMNS = frozenset({"variant", "verdict", "host", "parameter", "from, to"})
MARKS = ("fail", "error", "inconclusive", "xfailed", "pass")
"""Words of a verdict that the style sheet colours, the worst first."""
_TIPS = {
    "verdict": "the worst verdict of the limits of this variant",
    "speed-up": "ratio of the baseline's time of a query to the variant's, with its interval",
    "regression": "relative increase in query time since the other revision, with its interval",
    "p50": "median latency of a query",
    "p99": "99th percentile of the latency of a query",
    "average": "mean latency of a query",
    "samples/s": "throughput in batches",
    "USD/million": "cost of a million requests on this host, in US dollars",
    "USD/1M": "cost of a million requests on that instance, in US dollars",
    "size": "size of the variant's files on disk",
    "memory": "peak resident memory",
    "threads": "threads of the runtime",
    "cosine": "mean cosine similarity of the outputs to those of the baseline",
    "perplexity": "exponential of the mean negative log-likelihood of a token of the text",
    "growth": "exponent of the growth of time with the parameter: 1 is linear",
    "CPU": "cores in use on average",
    "errors": "fraction of requests without a 2xx response",
    "interval": "confidence interval of the effect",
}
"""Explanation of each column whose header may need one."""


@dataclass(frozen=True)
class Header:
    name: str

    @property
    def is_text(self) -> bool:
        """Whether the cells are aligned to the left."""
        return self.name in _TEXT_COLUMNS

    @property
    def tip(self) -> str:
        """The explanation of the column; empty if it needs none."""
        if self.name.endswith(" (diff.)"):
            return "quality, and its difference to the baseline"
        return _TIPS.get(self.name, "")


@dataclass(frozen=True)
class PageCell:
    head: str
    tail: str
    sort: str
    """Number or text to sort rows by; empty for a missing value, which is sorted last."""
    mark: str
    """Class of the style sheet for a verdict; empty for other cells."""


@dataclass(frozen=True)
class PageTable:
    """A table that can be sorted and filtered."""

    title: str
    headers: Sequence[Header]
    rows: Sequence[Sequence[PageCell]]
    notes: Sequence[str] = ()


def page_table(
    title: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    notes: Sequence[str] = (),
) -> PageTable:
    """Return a table of a page, made from the cells that all reports share."""
    made = [[_page_cell(*pair) for pair in zip(headers, row, strict=True)] for row in rows]
    return PageTable(title, [Header(name) for name in headers], made, notes)


def _page_cell(header: str, cell: Cell) -> PageCell:
    word = cell.head.lower()
    mark = word if header == "verdict" and word in MARKS else ""
    tail = "(baseline)" if cell.tail == "*" else cell.tail
    return PageCell(cell.head, tail, _sort_value(cell.head), mark)


def _sort_value(head: str) -> str:
    if head == cells.EMPTY.head:
        return ""
    value = read_back(head)
    return head if value is None else f"{value:.9g}"
