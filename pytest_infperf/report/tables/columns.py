"""Columns of a suite's result table, which the terminal, Markdown and the page share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pytest_infperf.records.record import Record
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.cells import MakeCell

METRIC_HEADERS = {"bleu": "BLEU", "chrf": "chrF", "wer": "WER", "cer": "CER", "f1": "F1"}


@dataclass(frozen=True)
class Column:
    key: str
    """Name of the column in a layout."""
    header: str
    make_cell: MakeCell
    short_header: str = ""
    """Header for a narrow terminal; empty if the header has no shorter form."""
    make_short_cell: MakeCell | None = None
    """Function that makes the cells for a narrow terminal; None if they have no shorter form."""
    numeric: bool = True
    """Whether heads are aligned to the right."""

    def shortened(self) -> Column:
        return replace(
            self,
            header=self.short_header or self.header,
            make_cell=self.make_short_cell or self.make_cell,
        )


def filled_columns(records: Sequence[Record], always_shown: Collection[str] = ()) -> list[Column]:
    """Return the columns that have a value in some record, or a key in `always_shown`."""
    return [
        column
        for column in _all_columns(records)
        if column.key in always_shown
        or any(column.make_cell(record) != cells.EMPTY for record in records)
    ]


def _all_columns(records: Sequence[Record]) -> list[Column]:
    return [
        Column(
            "variant",
            "variant",
            cells.variant,
            make_short_cell=cells.variant_with_star,
            numeric=False,
        ),
        Column("threads", "threads", cells.threads, short_header="thr"),
        *_speedup_columns(records),
        Column("regression", "regression", cells.regression),
        Column("p50", "p50", cells.value_of("latency_p50")),
        Column("p99", "p99", cells.value_of("latency_p99")),
        Column("throughput", cells.RATE_UNIT, cells.throughput),
        *_quality_columns(records),
        Column("cost", "USD/million", cells.cost),
        Column("size", "size", cells.value_of("size")),
        Column("memory", "memory", cells.value_of("peak_memory")),
        Column(
            "verdict",
            "verdict",
            cells.verdict,
            make_short_cell=cells.short_verdict,
            numeric=False,
        ),
    ]


def _speedup_columns(records: Sequence[Record]) -> list[Column]:
    """Return the column of the speed-up; an empty list if no variant has one."""
    if not any("speedup" in record.measures for record in records):
        return []
    return [Column("speed-up", "speed-up", cells.speedup)]


def _quality_columns(records: Sequence[Record]) -> list[Column]:
    metric = quality_metric(records)
    if metric is None:
        return []
    header = METRIC_HEADERS.get(metric, metric)
    cell = cells.quality(metric)
    with_difference = f"{header} (diff.)" if any(cell(r).tail for r in records) else header
    return [
        Column("quality", with_difference, cell),
        Column("quality change", f"{header} change", cells.quality_change(metric)),
        Column("perplexity", "perplexity", cells.value_of("perplexity")),
        *([Column("cosine", "cosine", cells.value_of("cosine"))] if metric != "cosine" else []),
    ]


def quality_metric(records: Sequence[Record]) -> str | None:
    """Return the name of a suite's quality metric, or None if quality was not measured."""
    return next((name for record in records if (name := record.evidence.quality_metric)), None)
