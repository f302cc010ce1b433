"""The table of generated text: times of tokens, and tokens per second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_infperf.records.record import Record
from pytest_infperf.report.tables import cells
from pytest_infperf.report.tables.columns import Column
from pytest_infperf.report.tables.points import PointTable, id_column

_HEADERS = {
    "ttft_p50": "TTFT p50",
    "ttft_p99": "TTFT p99",
    "itl_p50": "ITL p50",
    "itl_p99": "ITL p99",
    "output_tokens_rate": "tokens/s",
    "token_throughput": "batch tokens/s",
}


def generated_text_tables(records: Sequence[Record]) -> Iterator[PointTable]:
    """Yield the table of a suite's times of tokens, without columns that have no value.

    There is none if no record has such times. The times under a load are in the table of the load.
    """
    columns = [
        Column(name, header, cells.without_rate_unit(name))
        for name, header in _HEADERS.items()
        if any(name in record.measures for record in records)
    ]
    if columns:
        yield PointTable("generated text", [id_column(), *columns])
