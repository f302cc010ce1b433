"""The page: complete, escaped, accessible, and free of errors in a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, RunRecord, Verdict
from pytest_infperf.report import html, plots, svg
from pytest_infperf.report.plots import HistoryLine, PlotPoint
from tests.report.conftest import translation_run

HOSTILE = "<script>alert(1)</script>&\"'<img src=x onerror=alert(1)>"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(text)
    return parser.tags


class Words(HTMLParser):
    """The text of the page: a line for each block, with the cells of a row in one line."""

    BLOCKS = ("p", "li", "tr", "h1", "h2", "h3", "dt", "dd", "summary", "figcaption", "div")
    UNSEEN = ("style", "script", "title", "svg", "pre")

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.unseen += tag in self.UNSEEN
        if tag in self.BLOCKS:
            self.lines.append("")
        if tag in ("td", "th"):
            self.lines[-1] += " | "

    def handle_endtag(self, tag: str) -> None:
        self.unseen -= tag in self.UNSEEN

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.lines[-1] += data

    @property
    def text(self) -> str:
        lines = (" ".join(line.split()) for line in self.lines)
        return "\n".join(line for line in lines if line)


def whole_run() -> RunRecord:
    """Return a run with latencies, a variant with a hostile name, and one that was not measured."""
    run = translation_run()
    for record in run.records:
        if p50 := record.measures.get("latency_p50"):
            record.evidence.latency_percentiles_s = [
                p50.value * (0.5 + i / 100) for i in range(101)
            ]
    run.records[2].variant = HOSTILE
    run.records[2].evidence.more["note"] = HOSTILE
    return run


@pytest.fixture(scope="module")
def page() -> str:
    labels = [f"11-0{i}\nabc" for i in range(1, 9)]
    line = HistoryLine(HOSTILE, labels, [1, 1, 1, 1, 2, 2, 2, 2.0], "s", [4])
    return html.page(whole_run(), {"translation": {"latency_p50": [line]}})


def test_verdicts_come_first(page: str) -> None:
    assert page.index("is below the limit of 1.50x") < page.index('id="suite-1"')
    assert re.search(r'<span class="mark fail">fail</span> 1\b', page)
    assert "thresholds.toml:12" in page


def test_the_words_of_the_page(page: str, snapshot: SnapshotAssertion) -> None:
    words = Words()
    words.feed(page)
    assert words.text == snapshot


def test_speed_latency_quality_and_history_have_a_figure_each(page: str) -> None:
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    assert titles[:4] == [
        "Speed-up over the baseline", "Latency distributions", "Speed and quality",
        "History of latency_p50",
    ]  # fmt: skip
    assert page.count('role="img"') == 4


def test_hostile_names_are_escaped(page: str) -> None:
    found = elements(page)
    assert not [tag for tag, _ in found if tag in ("img", "iframe", "link", "object")]
    assert page.count("<script") == 1, "the page has its own script only"
    assert not [name for _, attributes in found for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)" in page


def test_no_external_resource_is_loaded(page: str) -> None:
    loading = ("src", "href", "xlink:href", "data", "action")
    targets = [str(a[name]) for _, a in elements(page) for name in loading if name in a]
    assert targets, "figures refer to their own parts"
    assert [target for target in targets if not target.startswith("#")] == []
    assert "default-src 'none'" in page
    assert not re.search(r"url\((?!#)", page)


def test_only_the_script_of_the_page_is_allowed_to_run(page: str) -> None:
    script = page[page.index("<script>") + len("<script>") : page.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_ten_suites_like_this_one_fit_into_3_mb(page: str) -> None:
    assert 10 * len(page.encode()) < 3_000_000


def test_ids_are_unique_and_references_resolve(page: str) -> None:
    found = elements(page)
    ids = [attributes["id"] for _, attributes in found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a[k] for _, a in found for k in ("href", "xlink:href") if a.get(k)}
    assert {str(t).removeprefix("#") for t in targets} <= set(ids)


def test_header_cells_have_a_scope_for_screen_readers(page: str) -> None:
    scopes = [a.get("scope") for tag, a in elements(page) if tag == "th"]
    assert scopes
    assert set(scopes) == {"col", "row"}


def test_a_run_without_problems_says_that_every_limit_is_met(translation: RunRecord) -> None:
    for record in translation.records:
        record.errors.clear()
        record.gates = [gate for gate in record.gates if gate.verdict is Verdict.PASS]
    page = html.page(translation)
    assert "Every limit is met." in page
    assert "<title>Inference: pass</title>" in page


def test_a_run_without_records_has_a_page() -> None:
    assert "no limits were judged" in html.page(RunRecord({}, None))


def test_the_front_has_the_undominated_points() -> None:
    points = [
        PlotPoint("slow", 9, 30),
        PlotPoint("best", 1, 30),
        PlotPoint("worse", 2, 29),
        PlotPoint("x", 1, 20),
    ]
    assert [p.name for p in plots.undominated(points)] == ["best"]
    assert [p.name for p in plots.undominated(points, higher_is_better=False)] == ["x"]
    both = [PlotPoint("fast", 1, 20), PlotPoint("good", 5, 30), PlotPoint("bad", 6, 25)]
    assert [p.name for p in plots.undominated(both)] == ["fast", "good"]


def test_lines_differ_without_colour() -> None:
    styles = [style for style, _ in zip(svg.line_styles(), range(11), strict=False)]
    assert len({(style["marker"], style["linestyle"]) for style in styles}) == 11


@pytest.mark.parametrize("ground", ["#ffffff", "#14161a"])
def test_colours_do_not_repeat_and_stand_out_from_the_page(ground: str) -> None:
    assert len(set(svg.COLOURS)) == 16
    assert f"--ground: {ground.replace('#ffffff', '#fff')}" in html.page(RunRecord({}, None))
    for colour in svg.COLOURS:
        darker, lighter = sorted(map(luminance, (colour, ground)))
        assert (lighter + 0.05) / (darker + 0.05) >= 3


def luminance(colour: str) -> float:
    """Return the relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ratio() -> Measure:
    return Measure(2.0, "ratio", 1.9, 2.1)


PLOTS = {
    "ratios": lambda: plots.ratios({"a": ratio()}, "times as fast"),
    "limits": lambda: plots.ratios({"a": ratio()}, "times as fast", {"a": 2.5}),
    "distributions": lambda: plots.distributions({"a": [1 + i / 100 for i in range(101)]}),
    "sweep": lambda: plots.sweep({"a": {1: ratio(), 2: ratio()}}, "length", "ms"),
    "levels": lambda: plots.levels({1: [1.0, 2.0], 4: [2.0, 3.0]}, ["1", "4"], "users", "ms"),
    "front": lambda: plots.front([PlotPoint("a", 1, 2), PlotPoint("b", 2, 3)], "ms", "BLEU"),
    "history": lambda: plots.history("s", {"p50": [HistoryLine("a", ["1", "2"], [1, 2], "s")]}),
}


@pytest.mark.parametrize("name", PLOTS)
def test_every_text_of_a_plot_has_the_colour_of_the_page(name: str) -> None:
    texts = re.findall(r"<text[^>]*>", PLOTS[name]())
    assert texts
    assert [text for text in texts if "fill: currentColor" not in text] == []


@pytest.mark.parametrize("name", PLOTS)
def test_plots_have_no_legend(name: str) -> None:
    assert "legend" not in PLOTS[name]()


def test_the_limit_of_a_regression_is_drawn_and_named(translation: RunRecord) -> None:
    slower, within, *others = translation.records
    for record, limit in ((slower, 'max = "15 %"'), (within, "max = 0.05")):
        record.measures["regression"] = Measure(0.1, "fraction", 0.08, 0.12)
        record.gates = [GateRecord("regression", limit, Verdict.PASS, "")]
    others[0].measures["regression"] = Measure(0.2, "fraction", 0.18, 0.22)
    page = html.page(translation)
    texts = re.findall(r">(1\.[12]0x[^<]*)</text>", page)
    assert texts == ["1.10x, limit 1.15x", "1.10x, limit 1.05x", "1.20x"]
    assert "The dashed line is the limit." in page


def test_a_line_is_named_at_its_end() -> None:
    text = plots.sweep({f"variant {i}": {1: ratio(), 8: ratio()} for i in range(14)}, "n", "ms")
    assert all(f">variant {i}</text>" in text for i in range(14))


@pytest.mark.parametrize("values", [[2.0, 2.0], [1.0, 1.2], [1.0, 900.0]])
def test_axes_of_any_length_have_numbers(values: list[float]) -> None:
    text = plots.levels({1: values}, ["1"], "users", "ms")
    assert len(re.findall(r"<text[^>]*>[0-9.]+</text>", text)) >= 2


@pytest.mark.parametrize("levels", [(0, 10, 50), (0, 50), (0,), (10, 50)])
def test_every_level_of_a_factor_is_on_the_axis(levels: tuple[float, ...]) -> None:
    names = [f"{level} ms" for level in levels]
    text = plots.levels({level: [2.0, 3.0] for level in levels}, names, "delay", "ART")
    places = re.findall(r"<text[^>]*? x=\"([\d.]+)\"[^>]*>(\d+ ms)</text>", text)
    assert [name for _, name in places] == names
    assert sorted(places, key=lambda place: float(place[0])) == places


def test_undominated_points_are_named_also_in_a_crowd() -> None:
    crowd = [PlotPoint(f"dominated-variant-{i}", 5 + i / 100, 20) for i in range(30)]
    text = plots.front([*crowd, PlotPoint("best", 4.9, 20.1)], "ms", "BLEU")
    assert ">best</text>" in text
    assert all(f'data-tip="dominated-variant-{i}: ' in text for i in range(30))


def test_in_a_real_browser(page: str, tmp_path: Path) -> None:
    """The console has no errors, nothing is requested, and the screenshot is not blank."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("there is no Chromium")
    path = tmp_path / "page.html"
    path.write_text(page)
    netlog = tmp_path / "net.json"
    picture = tmp_path / "page.png"
    done = subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--enable-logging=stderr", "--v=0", f"--log-net-log={netlog}",
            f"--user-data-dir={tmp_path / 'profile'}", "--disable-background-networking",
            "--disable-component-update", "--no-first-run", "--window-size=1200,3000",
            f"--screenshot={picture}", path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip
    assert picture.exists(), done.stderr
    assert picture.stat().st_size > 20_000
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    log = netlog.read_text()
    assert path.as_uri() in log, "what the browser loads is logged"
    hosts = set(re.findall(r'"url":\s*"(https?://[^"/]+)', log))
    assert {h for h in hosts if "google" not in h and "gvt1" not in h} == set(), json.dumps(
        sorted(hosts)
    )
