"""The pages in Chromium: accessible, readable on a phone and in the dark, usable by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_infperf.cost import prices
from pytest_infperf.cost.merged import merge
from pytest_infperf.explore.page import effect_tables, page as design_space_page
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import RunRecord
from pytest_infperf.report import html
from pytest_infperf.report.plots import HistoryLine
from tests import axe, chromium
from tests.explore.test_effects import FACTORS, outcomes
from tests.report.conftest import translation_run

SHORTEST, LONGEST = "distilled-fastest", "torch"
COLUMN = """
[...document.querySelector(".table").querySelectorAll("tbody tr:not([hidden]) th")]
  .map((cell) => cell.firstChild.textContent)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    with chromium.opened(tmp_path_factory.mktemp("browser")) as page:
        page._call("Emulation.setFocusEmulationEnabled", enabled=True)
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the address of each page."""
    folder = tmp_path_factory.mktemp("pages")
    here = translation_run()
    there = replace(here, host={**here.host, "instance_type": "c7g.large"})
    table = prices.table(None, folder)
    tried = outcomes()
    tried[0] = replace(tried[0], response_s=None, failure="memory ran out")
    tables = effect_tables(FACTORS, tried, 0.95)
    texts = {
        "hosts": html.merged_page(merge([here, there], table), table),
        "design space": design_space_page("echo", FACTORS, tried, tables),
        "run": run_page(here),
    }
    addresses = {}
    for name, text in texts.items():
        path = folder / f"{name}.html"
        path.write_text(text, encoding="utf-8")
        addresses[name] = path.as_uri()
    return addresses


@pytest.fixture(params=["run", "hosts", "design space"])
def page(request: pytest.FixtureRequest, pages: dict[str, str]) -> str:
    return pages[request.param]


@pytest.fixture
def run(pages: dict[str, str]) -> str:
    return pages["run"]


def run_page(run: RunRecord) -> str:
    for record in run.records:
        if p50 := record.measures.get("latency_p50"):
            shares = range(101)
            record.evidence.latency_percentiles_s = [p50.value * (0.5 + i / 100) for i in shares]
            for length in (16, 64):
                record.measures[f"latency_p50@length={length}"] = Measure(p50.value * length, "s")
    run.when = "2026-11-28T03:04:05+00:00"
    labels = [f"11-0{day}\nabc" for day in range(1, 9)]
    lines = [HistoryLine("torch", labels, [1, 1, 1, 1, 2, 2, 2, 2.0], "s", [4])]
    return html.page(run, {"translation": {"latency_p50": lines}})


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_violation(browser: chromium.Page, page: str, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)
    browser.run(axe.script())
    assert browser.run(axe.VIOLATIONS) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen(browser: chromium.Page, page: str, width: int) -> None:
    browser.open(page, width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_text_of_plots_has_the_colour_of_the_page(browser: chromium.Page, page: str) -> None:
    for dark in (False, True):
        browser.open(page, dark=dark)
        ink = browser.run("getComputedStyle(document.body).color")
        colours = browser.run(
            "[...new Set([...document.querySelectorAll('svg text')]"
            ".map((text) => getComputedStyle(text).fill))]"
        )
        assert colours == [ink]


def test_the_main_number_is_in_sight_on_a_phone(browser: chromium.Page, page: str) -> None:
    browser.open(page, width=390, height=800)
    bottom = "document.querySelector('.number').getBoundingClientRect().bottom"
    assert browser.run(bottom) < 400


def test_a_phone_shows_verdict_and_speedup_and_says_that_the_table_scrolls(
    browser: chromium.Page, run: str
) -> None:
    browser.open(run, width=390)
    right = "document.querySelectorAll('.wide')[0].getBoundingClientRect().right"
    cells = "document.querySelector('tbody tr:nth-child(2)').cells"
    assert browser.run(f"{cells}[2].getBoundingClientRect().right <= {right}")
    assert browser.run(f"{cells}[2].textContent").startswith("1.18x")
    assert browser.run("getComputedStyle(document.querySelector('.more')).display") != "none"
    browser.open(run, width=1600)
    assert browser.run("getComputedStyle(document.querySelector('.more')).display") == "none"


def test_a_table_is_sorted_and_filtered_by_keyboard(browser: chromium.Page, run: str) -> None:
    browser.open(run)
    header = "[...document.querySelectorAll('thead th')].find((h) => h.innerText.includes('p50'))"
    browser.run(f"{header}.querySelector('button').focus()")
    browser.press("Enter")
    assert browser.run(f"{header}.ariaSort") == "ascending"
    names = browser.run(COLUMN)
    assert (names[0], names[-2], names[-1]) == (SHORTEST, LONGEST, "ctranslate2")
    browser.press("Enter")
    assert browser.run(f"{header}.ariaSort") == "descending"
    names = browser.run(COLUMN)
    assert (names[0], names[-1]) == (LONGEST, "ctranslate2"), "missing values stay last"
    browser.run(
        "const box = document.querySelector('input'); box.value = 'onnx INT8';"
        "box.dispatchEvent(new Event('input'))"
    )
    assert sorted(browser.run(COLUMN)) == ["onnx-fused-int8", "onnx-int8"]
    assert browser.run("document.querySelector('[role=status]').textContent") == "2 of 11 rows"


def test_units_are_sorted_by_their_value(browser: chromium.Page, run: str) -> None:
    browser.open(run)
    browser.run("document.querySelector('thead th:nth-child(3) button').click()")
    speedups = browser.run(
        "[...document.querySelectorAll('.table')[0].querySelectorAll('tbody tr')]"
        ".map((row) => row.cells[2].firstChild.textContent)"
    )
    assert speedups[:3] == ["1.00x", "1.18x", "1.31x"]
    assert speedups[-2:] == ["31.46x", "-"]


def test_a_focused_header_shows_its_tip(browser: chromium.Page, run: str) -> None:
    browser.open(run)
    tip = "document.getElementById('tip')"
    assert browser.run(f"{tip}.hidden")
    browser.run("document.querySelector('thead th:nth-child(3) button').focus()")
    assert browser.run(f"{tip}.textContent").startswith("ratio of the baseline's time")
    assert browser.run("document.activeElement.getAttribute('aria-describedby')") == "tip"
    browser.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert browser.run(f"{tip}.hidden")


def test_a_dot_of_a_plot_shows_its_variant(browser: chromium.Page, run: str) -> None:
    browser.open(run)
    browser.run(
        "document.querySelector(\"svg [data-tip^='onnx:']\")"
        ".dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"
    )
    tip = browser.run("document.getElementById('tip').textContent")
    assert tip == "onnx: 1.87x, interval 1.84x to 1.90x"


def test_the_time_of_the_run_is_local(browser: chromium.Page, run: str) -> None:
    browser.open(run)
    local = "new Date('2026-11-28T03:04:05Z').toLocaleString(undefined, {timeStyle: 'short'})"
    assert browser.run(f"document.querySelector('time').textContent.endsWith({local})")
