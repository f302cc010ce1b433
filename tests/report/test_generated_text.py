"""Times of tokens in the tables of the terminal and of the page."""

from __future__ import annotations

import re

import pytest

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord
from pytest_infperf.report import html
from pytest_infperf.report.terminal import render

FIRST = {"ttft_p50": Measure(0.031, "s"), "ttft_p99": Measure(0.09, "s")}
LATER = {"itl_p50": Measure(0.012, "s"), "itl_p99": Measure(0.04, "s")}
RATES = {
    "output_tokens_rate": Measure(61.5, "tokens/s"),
    "token_throughput": Measure(410.0, "tokens/s"),
}


def run_of(*records: Record) -> RunRecord:
    return RunRecord({}, None, [*records])


@pytest.fixture
def run() -> RunRecord:
    return run_of(
        Record("chat", "torch", {**FIRST, **LATER, **RATES}),
        Record("chat", "whole", {**FIRST, **RATES}),
        Record("chat", "broken", errors=["out of memory"]),
    )


def cells_below(run: RunRecord, width: int, heading: str) -> list[list[str]]:
    """Return the cells of the header and the rows of the table with a heading."""
    lines = render(run, width, colour=False).splitlines()
    start = lines.index(heading) + 1
    end = lines.index("", start) if "" in lines[start:] else len(lines)
    header, _, *rows = lines[start:end]
    return [re.split(r"\s{2,}", line) for line in (header, *rows)]


@pytest.mark.parametrize("width", [80, 200])
def test_generated_text_has_a_table(run: RunRecord, width: int) -> None:
    assert cells_below(run, width, "generated text") == [
        [
            "variant", "TTFT p50", "TTFT p99", "ITL p50", "ITL p99", "tokens/s",
            "batch tokens/s",
        ],
        ["torch", "31 ms", "90 ms", "12 ms", "40 ms", "61.5", "410"],
        ["whole", "31 ms", "90 ms", "-", "-", "61.5", "410"],
    ]  # fmt: skip


def test_a_narrow_terminal_has_the_columns_in_several_tables(run: RunRecord) -> None:
    text = render(run, 40, colour=False)
    assert all(len(line) <= 40 for line in text.splitlines())
    assert all(name in text for name in ("TTFT p99", "ITL p99", "batch tokens/s"))


def test_the_table_has_no_empty_columns() -> None:
    measures = {name: value for name, value in FIRST.items() if name == "ttft_p50"}
    run = run_of(Record("chat", "torch", measures))
    assert cells_below(run, 80, "generated text") == [["variant", "TTFT p50"], ["torch", "31 ms"]]


def test_other_suites_have_no_such_table() -> None:
    run = run_of(Record("s", "v", {"latency_p50": Measure(0.001, "s")}))
    assert "generated text" not in render(run, 80, colour=False)
    assert "generated text" not in html.page(run)


def test_the_table_of_a_load_has_times_of_tokens_also_without_a_rate() -> None:
    measures = {
        "latency_mean@users=4": Measure(0.2, "s", n=80),
        "error_rate@users=4": Measure(0.0, "fraction"),
        "token_throughput@users=4": Measure(410.0, "tokens/s"),
        **{f"{name}@users=4": value for name, value in {**FIRST, **LATER}.items()},
    }
    run = run_of(Record("chat", "torch", measures))
    assert cells_below(run, 200, "a server under load users=4") == [
        [
            "variant", "requests", "average", "TTFT p50", "TTFT p99", "ITL p50", "ITL p99",
            "tokens/s", "errors",
        ],
        ["torch", "80", "200 ms", "31 ms", "90 ms", "12 ms", "40 ms", "410", "0.00 %"],
    ]  # fmt: skip
    text = render(run, 200, colour=False)
    assert "by users" not in text
    assert "generated text" not in text


def test_the_page_has_the_table_with_explained_headers(run: RunRecord) -> None:
    page = html.page(run)
    table = page.partition("<h3>generated text</h3>")[2].partition("</table>")[0]
    assert re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table) == [
        "variant", "TTFT p50", "TTFT p99", "ITL p50", "ITL p99", "tokens/s", "batch tokens/s",
    ]  # fmt: skip
    assert 'data-tip="median time to the first token"' in table
    assert 'data-sort="0.031"' in table
    assert "broken" not in table
