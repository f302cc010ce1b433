from __future__ import annotations

import dataclasses
import io
import re

import pytest
from rich.cells import cell_len
from rich.text import Text
from syrupy.assertion import SnapshotAssertion

from pytest_infperf.records.evidence import Evidence
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from pytest_infperf.report.characters import shows_unicode
from pytest_infperf.report.terminal import render


def lines_of(run: RunRecord, width: int) -> list[str]:
    return render(run, width, colour=False).splitlines()


def row_of(lines: list[str], variant: str) -> str:
    return next(line for line in lines if line.split(" ")[0] == variant)


def headers_of(run: RunRecord, width: int) -> list[list[str]]:
    """Return the headers of each table, from top to bottom."""
    lines = lines_of(run, width)
    return [re.split(r"\s{2,}", line) for line in lines if line.startswith("variant ")]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_run_of_eleven_variants(
    translation: RunRecord, snapshot: SnapshotAssertion, width: int
) -> None:
    assert render(translation, width, colour=False) == snapshot


@pytest.mark.parametrize("width", range(36, 220, 7))
def test_nothing_is_wider_than_the_terminal(translation: RunRecord, width: int) -> None:
    assert max(map(cell_len, lines_of(translation, width))) <= width


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_every_variant_has_one_whole_row(translation: RunRecord, width: int) -> None:
    lines = lines_of(translation, width)
    for record in translation.records:
        row = row_of(lines, record.variant)
        speedup = record.measures.get("speedup")
        if speedup:
            assert f"{speedup.value:.2f}x" in row


def test_a_wide_terminal_shows_everything(translation: RunRecord) -> None:
    lines = lines_of(translation, 200)
    headers = re.split(r"\s{2,}", lines[2])
    assert headers == [
        "variant", "threads", "speed-up", "p50", "p99", "samples/s", "BLEU (diff.)", "size",
        "memory", "verdict",
    ]  # fmt: skip
    row = row_of(lines, "distilled")
    assert re.split(r"\s{2,}", row) == [
        "distilled", "1", "2.30x [2.27, 2.33]", "36.2 ms", "83.6 ms", "52.5", "25.30 (-0.90)",
        "121 MB", "531 MB", "pass",
    ]  # fmt: skip
    assert len(headers_of(translation, 200)) == 1


def test_80_columns_keep_what_matters_most_and_show_the_rest_below(
    translation: RunRecord,
) -> None:
    assert headers_of(translation, 80) == [
        ["variant", "thr", "speed-up", "p50", "BLEU (diff.)", "verdict"],
        ["variant", "p99", "samples/s", "size", "memory"],
    ]
    lines = lines_of(translation, 80)
    assert "7.33x [7.23, 7.44]" in row_of(lines, "ctranslate2-int8")
    second = lines.index("", 3) + 1
    assert row_of(lines[second:], "distilled").split() == [
        "distilled", "83.6", "ms", "52.5", "121", "MB", "531", "MB",
    ]  # fmt: skip


def test_40_columns_take_more_tables(translation: RunRecord) -> None:
    assert headers_of(translation, 40) == [
        ["variant", "speed-up"],
        ["variant", "verdict", "thr", "memory"],
        ["variant", "p50", "p99"],
        ["variant", "samples/s", "size"],
        ["variant", "BLEU (diff.)"],
    ]


@pytest.mark.parametrize("width", range(36, 220, 7))
def test_every_number_is_shown_at_every_width(translation: RunRecord, width: int) -> None:
    lines = lines_of(translation, width)
    rows = " ".join(line for line in lines if line.split(" ")[0] == "distilled")
    expected = {"1", "2.30x", "36.2", "83.6", "52.5", "25.30", "(-0.90)", "121", "531", "pass"}
    assert expected <= set(rows.split())


def test_the_order_of_moving_out_of_the_first_table_is_declared(translation: RunRecord) -> None:
    moved = []
    for width in range(130, 35, -1):
        _, *below = headers_of(translation, width)
        names = [name for header in below for name in header[1:]]
        moved += [name for name in names if name not in moved]
    assert moved == [
        "size", "memory", "samples/s", "p99", "p50", "BLEU (diff.)", "thr", "verdict",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (1.15, 1.28, "1.20x [1.15, 1.28]"),
        (0.2, 187.8, "1.20x [0.20, 187.80]"),
        (None, 1.35, "1.20x [?, 1.35]"),
        (0.0, None, "1.20x [0.00, ?]"),
        (None, None, "1.20x"),
    ],
)
@pytest.mark.parametrize("width", [45, 100])
def test_a_speedup_has_both_bounds_at_every_width(
    low: float | None, high: float | None, shown: str, width: int
) -> None:
    record = Record("s", "v" * 20, {"speedup": Measure(1.2, "ratio", low, high)})
    assert shown in row_of(lines_of(RunRecord({}, None, [record]), width), "v" * 20)


def test_a_regression_has_both_bounds() -> None:
    measures = {"regression": Measure(0.02, "fraction", 0.0, 0.09)}
    (row,) = lines_of(RunRecord({}, None, [Record("s", "v", measures)]), 45)[-1:]
    assert "+2.00 % [0.00, 9.00]" in row


@pytest.mark.parametrize("width", range(60, 220))
def test_no_column_is_alone_in_a_table(translation: RunRecord, width: int) -> None:
    for header in headers_of(translation, width):
        assert len(header) > 2, header


@pytest.mark.parametrize("width", range(50, 120))
def test_no_column_of_a_sweep_is_alone_in_a_table(width: int) -> None:
    sizes = (1, 4, 16, 64, 256)
    measures = {f"latency_p50@batch={size}": Measure(1e-3 * size, "s") for size in sizes}
    measures["growth@batch"] = Measure(0.737, "", 0.669, 0.808)
    _, *of_sweep = headers_of(RunRecord({}, None, [Record("s", "v" * 20, measures)]), width)
    assert [name for header in of_sweep for name in header[1:]] == [*map(str, sizes), "growth"]
    assert all(len(header) > 2 for header in of_sweep), of_sweep


def test_the_headings_name_baseline_confidence_samples_and_host(translation: RunRecord) -> None:
    assert lines_of(translation, 100)[:2] == [
        "translation · 11 variants · baseline torch · 99 % confidence · 400 samples",
        "on c7i.large, Intel(R) Xeon(R) Platinum 8488C, 1 core with 2 threads",
    ]


@pytest.mark.parametrize(
    ("host", "heading"),
    [
        ({}, "on unknown CPU"),
        ({"cpu_model": "X", "logical_cores": 8, "physical_cores": 8}, "on X, 8 cores"),
        (
            {"cpu_model": "X", "logical_cores": 8, "gpus": ["NVIDIA A10G"]},
            "on X, 8 cores, NVIDIA A10G",
        ),
        ({"cpu_model": "X", "logical_cores": 8, "affinity": [0, 1]}, "on X, 8 cores, 2 usable"),
        (
            {"cpu_model": "X", "logical_cores": 8, "affinity": [0, 1], "cgroup_cpu_cores": 1.5},
            "on X, 8 cores, 1.5 usable",
        ),
    ],
)
def test_the_heading_names_the_host(host: dict[str, object], heading: str) -> None:
    assert lines_of(RunRecord(host, None, [Record("s", "v")]), 80)[1] == heading


def test_the_baseline_is_marked_in_its_row(translation: RunRecord) -> None:
    row = row_of(lines_of(translation, 80), "torch")
    assert row.startswith("torch (baseline)")
    assert "1.00x" in row
    # A short mark where the long one would cost a column.
    translation.records[0] = dataclasses.replace(translation.records[0], variant="torch-eager-fp32")
    assert "torch-eager-fp32 *" in render(translation, 80, colour=False)


def test_a_baseline_without_a_selected_test_has_a_row(translation: RunRecord) -> None:
    """With `pytest --infperf -k distilled`, the table must show the baseline, which has 1.00x."""
    translation.records = [r for r in translation.records if r.variant == "distilled"]
    lines = lines_of(translation, 120)
    assert "1 variant " in lines[0]
    assert " ".join(row_of(lines, "torch").split()) == "torch (baseline) - 1.00x - - - - - - -"
    assert "2.30x" in row_of(lines, "distilled")


def test_problems_are_listed_failed_first_then_inconclusive_then_errors(
    translation: RunRecord,
) -> None:
    words = [line.split()[0] for line in lines_of(translation, 80) if line[:1].isupper()]
    assert words == ["FAIL", "INCONCLUSIVE", "ERROR"]
    lines = lines_of(translation, 300)
    start = lines.index(
        "FAIL translation[onnx-int8] speedup 1.31x [1.29, 1.33] is below the limit of 1.50x "
        "(24 pairs) (thresholds.toml:12)"
    )
    assert lines[start + 1].startswith("    search the number of threads (--infperf-threads best)")


def test_doubts_are_listed_below_the_broken_speedup_of_their_variant_only() -> None:
    def record(name: str, verdict: Verdict) -> Record:
        gates = [
            GateRecord("speedup", "min = 2", verdict, "speedup is low", "fuse the graph"),
            GateRecord("size", "max = 1", Verdict.FAIL, "size is large", "distil"),
        ]
        return Record("s", name, gates=gates, evidence=Evidence(doubts=["no VNNI", "unfused"]))

    kept, broken = record("kept", Verdict.PASS), record("broken", Verdict.FAIL)
    lines = lines_of(RunRecord({}, None, [kept, broken]), 80)
    start = lines.index("FAIL s[broken] speedup is low")
    assert lines[start : start + 5] == [
        "FAIL s[broken] speedup is low", "    fuse the graph", "    no VNNI", "    unfused", "",
    ]  # fmt: skip
    assert lines.count("    no VNNI") == 1


def test_a_variant_without_measures_shows_dashes_and_its_reason(translation: RunRecord) -> None:
    lines = lines_of(translation, 200)
    assert row_of(lines, "ctranslate2").split() == ["ctranslate2", *"--------", "error"]
    start = lines.index(
        "ERROR translation[ctranslate2] the worker of ctranslate2 was ended by signal 9 (SIGKILL): "
        "likely out of memory"
    )
    assert lines[start + 1 : start + 3] == ["    Its last output:", "    loading model.bin"]


def test_a_long_error_keeps_its_end() -> None:
    error = "\n".join(["it died", *(f"frame {number}" for number in range(50)), "MemoryError"])
    lines = lines_of(RunRecord({}, None, [Record("s", "v", errors=[error])]), 80)
    assert lines[-8:][0] == "ERROR s[v] it died"
    assert lines[-7] == "    ... (45 more lines)"
    assert lines[-1] == "    MemoryError"


@pytest.mark.parametrize(
    ("verdicts", "errors", "word"),
    [
        (["pass", "pass"], [], "pass"),
        (["pass", "inconclusive"], [], "inconclusive"),
        (["pass", "inconclusive", "fail"], [], "FAIL"),
        (["pass"], ["throughput could not be measured"], "error"),
        (["fail"], ["throughput could not be measured"], "FAIL"),
        ([], [], "-"),
    ],
)
def test_the_verdict_of_a_row_is_its_worst(
    verdicts: list[str], errors: list[str], word: str
) -> None:
    gates = [GateRecord("size", "max = 1", Verdict(v), "why") for v in verdicts]
    run = RunRecord({}, None, [Record("s", "v", gates=gates, errors=errors)])
    assert row_of(lines_of(run, 100), "v").split()[-1] == word


def test_colour_only_repeats_what_words_say(translation: RunRecord) -> None:
    coloured = render(translation, 80, colour=True)
    assert "\x1b[1;31mFAIL" in coloured
    plain = "\n".join(line.rstrip() for line in Text.from_ansi(coloured).plain.splitlines())
    assert plain == render(translation, 80, colour=False)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_report_is_ascii_without_unicode(translation: RunRecord, width: int) -> None:
    translation.records[1] = dataclasses.replace(
        translation.records[1], variant="größe-日本", errors=["„kaputt” …"]
    )
    report = render(translation, width, colour=False, unicode=False)
    assert report.isascii()
    assert max(map(len, report.splitlines())) <= width
    assert "gro?e-??" in report
    assert '"kaputt" ...' in report


def test_which_streams_show_unicode() -> None:
    def stream(encoding: str) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(), encoding=encoding)

    assert shows_unicode(stream("utf-8"))
    assert not shows_unicode(stream("ascii"))
    assert not shows_unicode(stream("latin-1"))
    assert not shows_unicode(io.StringIO())


def test_a_very_long_id_continues_on_the_next_lines(translation: RunRecord) -> None:
    long = "onnx-" + "x" * 90
    translation.records[2] = dataclasses.replace(translation.records[2], variant=long)
    lines = lines_of(translation, 80)
    assert max(map(cell_len, lines)) <= 80
    start = next(i for i, line in enumerate(lines) if line.startswith("onnx-xxx"))
    assert "".join(line.split(" ")[0] for line in lines[start : start + 3]) == long
    assert "1.62x" in lines[start]


def test_wide_characters_keep_the_columns_straight(translation: RunRecord) -> None:
    translation.records[1] = dataclasses.replace(translation.records[1], variant="量子化-int8")
    lines = lines_of(translation, 200)
    ends = {cell_len(line[: line.index(" pass")]) for line in lines if line.endswith(" pass")}
    assert len(ends) == 1


def test_each_suite_has_a_table_with_its_own_metric(translation: RunRecord) -> None:
    speech = Record(
        "speech",
        "whisper",
        {"wer": Measure(0.0521, "fraction")},
        evidence=Evidence(quality_metric="wer", differences={"wer": Measure(0.0012, "fraction")}),
    )
    lines = lines_of(RunRecord({}, None, [*translation.records, speech]), 120)
    start = lines.index("speech · 1 variant")
    assert lines[start - 1] == ""
    assert "WER (diff.)" in lines[start + 2]
    assert "5.21 % (+0.12 %)" in lines[start + 4]
    assert "BLEU" not in "\n".join(lines[start:])


def test_a_suite_without_quality_has_no_column_for_it() -> None:
    record = Record("s", "v", {"latency_p50": Measure(0.001, "s")})
    lines = lines_of(RunRecord({}, None, [record]), 200)
    assert "diff." not in lines[2]
    assert "1 ms" in row_of(lines, "v")


def test_a_run_without_records_has_an_empty_report() -> None:
    assert render(RunRecord({}, None), 80, colour=True) == ""


def test_environment_variables_have_no_effect(
    translation: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = render(translation, 150, colour=True)
    for name, value in {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "20", "LINES": "5"}.items():
        monkeypatch.setenv(name, value)
    assert render(translation, 150, colour=True) == expected


def test_slow_int8_is_explained_even_if_every_limit_is_met() -> None:
    slow = Record("speech", "onnx-int8", {"speedup": Measure(0.55, "ratio", 0.51, 0.6, 12)})
    slow.evidence.doubts = ["its LSTMs are quantised dynamically"]
    fast = Record("speech", "torch-int8", {"speedup": Measure(1.5, "ratio", 1.4, 1.6, 12)})
    fast.evidence.doubts = ["this CPU has no int8 dot products"]
    text = render(RunRecord({}, None, [slow, fast]), 100, colour=False)
    assert "SLOWER speech[onnx-int8] has 0.55x of the baseline's speed" in text
    assert "    its LSTMs are quantised dynamically" in text
    assert "dot products" not in text


def test_without_a_baseline_no_column_compares_with_one() -> None:
    records = [
        Record(
            "s",
            name,
            {"latency_p50": Measure(0.001, "s"), "bleu": Measure(26.2, "points")},
            evidence=Evidence(quality_metric="bleu"),
        )
        for name in ("a", "b")
    ]
    headers = lines_of(RunRecord({}, None, records), 200)[2].split()
    assert headers == ["variant", "p50", "BLEU", "verdict"]


def test_a_baseline_alone_is_compared_with_nothing(translation: RunRecord) -> None:
    headers = lines_of(RunRecord({}, None, translation.records[:1]), 200)[2]
    assert "speed-up" not in headers
    assert "(diff.)" not in headers
