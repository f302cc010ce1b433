"""Run the commands as a user does, in a project with the fake backend."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_infperf import cli
from pytest_infperf.cli import doctor, history
from pytest_infperf.records import file as record_file
from pytest_infperf.records.evidence import Evidence, RepeatedBlocks, VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from tests.history.saved import run_record

SUITE = """
from pytest_infperf import Echo, Fake, Suite

suite = Suite(
    "echo", task=Echo(count=40), model="model", baseline="slow",
    variants=[Fake(id="slow", query_ms=1), Fake(id="fast", query_ms=0.2)],
)
"""
TESTS = "def test_latency(variant):\n    variant.latency().check()\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "project"
    (folder / "suites/echo/model").mkdir(parents=True)
    (folder / "suites/echo/suite.py").write_text(SUITE)
    (folder / "suites/echo/test_echo.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = {*sys.modules}
    yield folder
    # A command in this process imports the suite; the next test has a suite of the same name.
    for name in [name for name in sys.modules if name.partition(".")[0] == "suites"]:
        if name not in known:
            del sys.modules[name]


def infperf(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from pytest_infperf.cli import main; raise SystemExit(main())",
    ]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "100"},
        timeout=120,
        check=False,
    )


def write_record(folder: Path, name: str, instance: str, p50_s: float, **measures: Measure) -> str:
    """Write a file of --infperf-json with one variant that meets its limit; return its name."""
    record = Record(
        "echo",
        "fast",
        {"latency_p50": Measure(p50_s, "s", p50_s * 0.99, p50_s * 1.01, 500), **measures},
        [GateRecord("latency_p50", "max = 1", Verdict.PASS, "fine")],
    )
    host = {"instance_type": instance, "cpu_model": "X", "logical_cores": 2}
    run = RunRecord(host, None, [record], when=f"2026-11-01T00:00:{len(name):02}+00:00")
    record_file.write(folder / name, run)
    return name


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: infperf {command} ")
    assert len(cli.COMMANDS[command].split()) > 3
    purpose = cli.COMMANDS[command]
    assert f"{purpose[0].upper()}{purpose[1:]}." in " ".join(shown.split())


def test_what_compare_prints(
    project: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    """Compare runs of one host, and runs of two hosts."""
    files = [
        write_record(project, "a.json", "x", 0.010),
        write_record(project, "b.json", "x", 0.012),
        write_record(project, "c.json", "y", 0.012),
    ]
    for before, after in (files[:2], files[1:]):
        cli.main(["compare", before, after, "--fail-on", "latency_p50:5%", "--strict"])
    assert capsys.readouterr().out == snapshot


MANY = {
    "latency_p99": Measure(0.03, "s", 0.02, None, 500),
    "estimated_energy_per_request@users=4": Measure(0.2, "J", 0.19, 0.21, 90),
    "latency_p50@users=4": Measure(0.02, "s", 0.019, 0.021, 90),
}
"""Measures that are not shown by default."""


@pytest.fixture
def two_runs(project: Path) -> list[str]:
    bounded = {**MANY, "latency_p99": Measure(0.03, "s", 0.02, 0.04, 500)}
    return [
        write_record(project, "a.json", "x", 0.010, **bounded),
        write_record(project, "b.json", "x", 0.012, **MANY),
    ]


def test_compare_shows_the_main_measures_and_counts_the_others(
    two_runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", *two_runs]) == 0
    out = capsys.readouterr().out
    assert "latency_p50  10 ms 12 ms +20.0 % * [+18.3, +21.7] %" in out
    assert "latency_p99" not in out
    assert "* beyond both intervals: each value is outside the interval of the other" in out
    assert "3 changes of other measures are not shown, 0 of them beyond both intervals" in out


@pytest.mark.parametrize("command", ["compare", "history"])
def test_the_main_times_and_rates_of_tokens_are_shown(
    project: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    measures = {
        name: Measure(0.02, "s", 0.019, 0.021, 90)
        for name in ("ttft_p50", "ttft_p90", "itl_p99@users=4", "itl_mean@users=4")
    }
    names = [write_record(project, f"{p50}.json", "x", p50 / 100, **measures) for p50 in (1, 2)]
    assert cli.main([command, *names]) == 0
    shown = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert {"latency_p50", "ttft_p50"} <= shown
    assert any(name.startswith("itl_p99") for name in shown)
    assert not {"ttft_p90", "itl_mean", "itl_mean@users=4"} & shown


def test_compare_groups_all_measures_by_point_and_breaks_no_name(
    two_runs: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["compare", *two_runs, "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    at_load = lines.index("fast @users=4")
    names = [line.split()[0] for line in lines[at_load + 1 : at_load + 3]]
    assert names == ["estimated_energy_per_request", "latency_p50"]
    (p99,) = (line for line in lines if "latency_p99" in line)
    assert p99.split()[-3:] == ["[-39.2,", "?]", "%"]
    assert "? in an interval: a run had too few observations for that bound." in lines
    assert not any("not shown" in line for line in lines)


def test_compare_writes_differing_settings_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = []
    for threads in (1, 2):
        names.append(write_record(project, f"{threads}.json", "x", 0.01, **MANY))
        run = record_file.read(project / names[-1])
        run.records[0].settings = VariantSettings(threads=threads)
        record_file.write(project / names[-1], run)
    assert cli.main(["compare", *names, "--all"]) == 0
    out = capsys.readouterr().out
    assert out.count("The settings of threads differ: 1 before, 2 after, of echo[fast].") == 1


def test_compare_lists_the_saved_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "saved").mkdir()
    write_record(project, "saved/0001_x.json", "x", 0.01)
    assert cli.main(["compare", "--list", "--storage", "saved"]) == 0
    assert capsys.readouterr().out == "0001 (2026-11-01 00:00 UTC): echo (1 variant)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--measures", "latnecy_p50"], "--measures latnecy_p50: no saved run has it; did you"
         " mean latency_p50?"),
        (["--measures", "latency_p50,siz*"], "--measures siz*: no saved run has it"),
        (["--variants", "fats"], "--variants fats: no saved run has it; did you mean fast?"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["compare", "history"])
def test_a_glob_that_matches_nothing_is_a_user_error(
    two_runs: list[str],
    command: str,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([command, *two_runs, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_compare_without_two_runs_is_a_user_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", "latest"]) == 2
    assert "`infperf compare --list` lists the saved runs" in capsys.readouterr().err


def test_compare_fails_if_a_change_is_beyond_its_limit(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write_record(project, "a.json", "x", 0.010), write_record(project, "b.json", "x", 0.012)
    assert cli.main(["compare", a, b, "--fail-on", "latency_p50:5%"]) == 1
    out = capsys.readouterr().out
    assert "FAIL echo[fast] latency_p50 changed by +20.0 %" in out
    assert "The hosts are equal" in out
    assert cli.main(["compare", a, b, "--fail-on", "latency_p50:25%"]) == 0
    assert cli.main(["compare", b, a, "--fail-on", "latency_p50:5%"]) == 0


def test_compare_judges_the_limits_of_a_variant_that_the_later_run_lacks(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = run_record(), run_record()
    after.records[1].measures.clear()
    after.records[1].errors.append("it crashed")
    record_file.write(project / "a.json", before)
    record_file.write(project / "b.json", after)
    limits = ["--fail-on", "latency_p50:5%", "--strict"]
    assert cli.main(["compare", "a.json", "b.json", *limits]) == 3
    out = capsys.readouterr().out
    assert "NOT COMPARED suite[fast] latency_p50 was not measured in the run after" in out
    assert "1 of 2 limits are met" in out
    assert cli.main(["compare", "b.json", "a.json", *limits]) == 0, "a new variant has no limit"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fail-on", ""], "--fail-on: '' is not a limit"),
        (["--strict"], "--strict: name the limits with --fail-on"),
    ],
)
def test_compare_refuses_to_judge_no_limit(
    options: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write_record(project, "a.json", "x", 0.010)
    assert cli.main(["compare", a, a, *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["compare", "a.json", "none.json"], ["compare", "none.json", "a.json"],
     ["history", "a.json", "none.json"], ["report", "a.json", "none.json"],
     ["comment", "--dry-run", "a.json", "none.json"],
     ["comment", "--dry-run", "a.json", "--against", "none.json"]],
)  # fmt: skip
def test_a_run_without_records_is_a_user_error(
    arguments: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(project, "a.json", "x", 0.010)
    record_file.write(project / "none.json", RunRecord({}, None))
    assert cli.main(arguments) == 2
    assert "none.json: this file has no records" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["history", "a.json", "b.json"], ["comment", "a.json", "--dry-run"]]
)
def test_an_encoding_without_our_characters_prints_question_marks(
    command: list[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(project, "a.json", "x", 0.010)
    write_record(project, "b.json", "x", 0.012)
    stdout = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert cli.main(command) == 0
    stdout.seek(0)
    assert "?" in stdout.read()


def test_compare_does_not_compare_times_of_different_hosts(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write_record(project, "a.json", "x", 0.010), write_record(project, "b.json", "y", 0.012)
    assert cli.main(["compare", a, b, "--fail-on", "latency_p50:5%", "--strict"]) == 3
    out = capsys.readouterr().out
    assert "The hosts differ (instance_type)" in out
    assert "NOT COMPARED echo[fast] latency_p50" in out


def test_compare_names_a_model_whose_branch_has_moved(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = []
    for commit in ("a" * 40, "b" * 40):
        names.append(write_record(project, f"{commit[0]}.json", "x", 0.01))
        run = record_file.read(project / names[-1])
        run.records[0].settings = VariantSettings(model="gpt2@main", model_commit=commit)
        record_file.write(project / names[-1], run)
    assert cli.main(["compare", *names]) == 0
    line = "The models differ: gpt2@main at aaaaaaaaaa before, gpt2@main at bbbbbbbbbb after"
    assert f"{line}, of echo[fast]." in capsys.readouterr().out
    assert cli.main(["compare", *names, "--variants", "none"]) == 2
    assert "The models differ" not in capsys.readouterr().out


PRINTS = "import pytest_infperf.cli.history as h; h.run = lambda arguments: print('x') or 0; "
"""A command that prints without rich, which handles a broken pipe itself."""


@pytest.mark.parametrize("replaced", ["", PRINTS])
def test_a_reader_that_ends_first_gets_no_traceback(project: Path, replaced: str) -> None:
    """An example is `infperf history | head -1`."""
    path = write_record(project, "a.json", "x", 0.01)
    code = f"{replaced}from pytest_infperf.cli import main; raise SystemExit(main())"
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", code, "history", path],
            cwd=project, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")


def test_a_user_error_exits_with_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "1", "2"]) == 2
    assert "infperf compare: there is no file 1, and no saved run in" in capsys.readouterr().err


def test_history_finds_the_run_where_a_level_changed(
    project: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    files = [
        write_record(project, f"{'x' * number}.json", "x", 0.010 * (1 + 0.2 * (number > 6)))
        for number in range(1, 12)
    ]
    arguments = ["history", *files, "--plot", "plots"]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed == snapshot
    out = " ".join(printed.split())
    assert "CHANGE echo[fast] latency_p50 on x: +20.0 % since xxxxxxx.json" in out
    assert "▁▁▁▁▁▁█████" in out
    svg = (project / "plots/echo.svg").read_text()
    assert svg.startswith("<svg role=")
    assert cli.main([*arguments, "--fail-on-change"]) == 1


def test_history_counts_a_run_once_and_says_what_a_change_needs(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_record(project, "a.json", "x", 0.01)
    assert cli.main(["history", path, path]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1 run, a.json")
    assert "a change needs 3 runs before and 3 after it" in out


@pytest.mark.parametrize(
    ("values", "noise", "bars"),
    [
        ([252.0e6, 252.4e6, 251.9e6], 0.0, "▁▁▁"),
        ([10.0, 12.0, 10.0], 0.0, "▁█▁"),
        ([10.0, 12.0, 10.0], 8.0, "▁▃▁"),
        ([99.75, 99.70], 0.3, "▁▁"),
        ([0.0, 0.0], 0.0, "▁▁"),
        ([-1.0, -2.0], 0.0, "█▁"),
    ],
)
def test_a_flat_history_looks_flat(values: list[float], noise: float, bars: str) -> None:
    assert history.sparkline(values, noise) == bars


def test_report_names_variants_that_may_be_as_cheap_as_the_cheapest(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {
        "c7i.large": Measure(100.0, "samples/s", 90.0, 110.0),
        "c7i.xlarge": Measure(195.0, "samples/s", 170.0, 220.0),
        "c7i.2xlarge": Measure(200.0, "samples/s", 190.0, 210.0),
    }
    files = [
        write_record(project, f"{name}.json", name, 0.01, throughput=rate)
        for name, rate in rates.items()
    ]
    assert cli.main(["report", *files]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "cheapest that meets every limit: fast on c7i.large" in out
    assert "not clearly more expensive: fast on c7i.xlarge" in out
    assert (
        "c7i.2xlarge" not in out.partition("not clearly more expensive:")[2].partition("merged")[0]
    )


def test_report_names_the_cheapest_that_meets_every_gate(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {"c7i.large": 100.0, "c7g.large": 90.0, "own.box": 900.0}
    files = [
        write_record(project, f"{name}.json", name, 0.01, throughput=Measure(rate, "samples/s"))
        for name, rate in rates.items()
    ]
    assert cli.main(["report", *files, "--markdown", "merged.md"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    prices = json.loads(
        (Path(cli.__file__).parents[1] / "cost/data/ec2-us-east-1.json").read_text()
    )["instances"]
    cost = {n: prices[n]["usd_per_hour"] / 3600 * 1e6 / r for n, r in rates.items() if n in prices}
    best = min(cost, key=lambda name: cost[name])
    assert f"cheapest that meets every limit: fast on {best}, {cost[best]:.3g} USD" in out
    rows = [line for line in (project / "merged.md").read_text().splitlines() if "| fast " in line]
    assert len(rows) == 3
    assert "| - |" in next(row for row in rows if "own.box" in row), "own.box has no price"


def test_the_page_of_report_has_cards_and_a_row_for_each_host(project: Path) -> None:
    files = [
        write_record(project, f"{name}.json", name, p50_s, throughput=Measure(90.0, "samples/s"))
        for name, p50_s in (("c7i.large", 0.01), ("c7g.large", 0.02), ("own.box", 0.03))
    ]
    assert cli.main(["report", *files, "--html", "merged.html"]) == 0
    page = (project / "merged.html").read_text()
    assert "<h1>Inference: 3 runs</h1>" in page
    assert "fast on c7g.large is the cheapest variant that meets every limit." in page
    assert page.count('<th scope=row class="text" data-sort="fast">') == 3
    assert 'data-tip="fast on c7g.large: 20 (median latency, ms)' in page
    assert 'data-tip="fast on own.box' not in page, "its cost is not known"


def test_what_report_prints_and_writes(
    project: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    table = {"region": "eu", "instances": {"a.box": {"usd_per_hour": 0.1}}}
    (project / "prices.json").write_text(json.dumps(table))
    files = [
        write_record(project, f"{name}.json", name, 0.01, throughput=Measure(90.0, "samples/s"))
        for name in ("a.box", "b.box")
    ]
    arguments = ["report", *files, "--prices", "prices.json", "--markdown", "merged.md"]
    assert cli.main(arguments) == 0
    written = (project / "merged.md").read_text()
    assert f"{capsys.readouterr().out}\n--- merged.md\n{written}" == snapshot


def test_report_cuts_no_word_and_drops_no_run(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    files = [
        write_record(project, "a.json", "c7i.large", 0.010, throughput=Measure(9e5, "samples/s")),
        write_record(project, "bb.json", "c7i.large", 0.020, throughput=Measure(8e5, "samples/s")),
    ]
    assert cli.main(["report", *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("c7i.large (2026-11-01 00:00:06)")
    second = lines.index("c7i.large (2026-11-01 00:00:07)")
    assert "10 ms" in lines[first + 1]
    assert "20 ms" in lines[second + 1]
    assert "900000" in lines[first + 1]


def test_doctor_reports_findings_with_reasons_and_advice(project: Path) -> None:
    path = write_record(project, "a.json", "x", 0.01)
    run = record_file.read(project / path)
    run.records[0].evidence.doubts = ["the graph is not fused: set fused=True"]
    run.records[0].evidence.contaminated_blocks = RepeatedBlocks(50, 10, disturbed=5)
    record_file.write(project / path, run)
    done = infperf(project, "doctor", path, "--strict")
    assert done.returncode == 1, done.stderr
    assert "echo[fast]: the graph is not fused: set fused=True" in done.stdout
    assert "echo[fast]: 25% of the blocks were disturbed" in done.stdout
    assert "  why: " in done.stdout
    assert "  do:  " in done.stdout


def test_doctor_writes_a_finding_of_several_variants_once() -> None:
    reason = "this CPU has no int8 dot products"
    records = [
        Record("echo", name, evidence=Evidence(doubts=[reason])) for name in ("a-int8", "b-int8")
    ]
    (found,) = doctor.findings_in([RunRecord({}, None, records), RunRecord({}, None, records)])
    assert found.seen == f"echo[a-int8], echo[b-int8]: {reason}"


def test_calibrate_finds_the_limit_that_is_too_tight(project: Path) -> None:
    (project / "thresholds.toml").write_text(
        'schema = 1\n[echo.variants.fast]\nregression = { max = "0.000001 %" }\n'
    )
    arguments = ["calibrate", "suites/echo", "--variant", "fast", "--budget", "0.5", "--runs", "2"]
    done = infperf(project, *arguments)
    assert done.returncode == 0, done.stderr
    assert "noise floor: ±" in done.stdout
    assert "smallest slowdown" in done.stdout
    assert 'thresholds.toml:3: max = "0.000001 %" for fast is tighter' in done.stdout


def test_calibrate_measures_a_function_that_states_no_decoding(tmp_path: Path) -> None:
    """Both sides are the same function, so that their decoding is equal."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "reviews.csv").write_text("text,label\n" + "a film,good\na play,bad\n" * 10)
    (tmp_path / "suite.py").write_text(
        "from pytest_infperf import Function, Suite, TextClassification\n"
        "suite = Suite('reviews', task=TextClassification(data='reviews.csv'),\n"
        "              variants=[Function('shop:load')])\n"
    )
    (tmp_path / "shop.py").write_text(
        "def load(folder, threads):\n"
        "    return lambda texts: ['good' if 'film' in text else 'bad' for text in texts]\n"
    )
    done = infperf(tmp_path, "calibrate", ".", "--budget", "0.5", "--runs", "2")
    assert done.returncode == 0, done.stderr
    assert "smallest slowdown" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["calibrate", "nowhere"], "has no suite.py"),
        (["calibrate", "suites/echo", "--variant", "x"], "echo has no x; it has slow, fast"),
        (["init"], "--model is missing"),
        (["init", "a-b", "--model", "m"], "cannot name a suite"),
        (["init", "a", "--model", "m", "--task", "translation"], "--source is missing"),
        (
            ["init", "a", "--model", "no/such/model", "--source", "pytest.ini", "--reference",
             "pytest.ini"],
            "neither a folder here, nor a hub id",
        ),
        (["history"], "(of suites with --infperf), or name another folder with --storage"),
        (["report", "none.json"], "cannot be read"),
    ],
)  # fmt: skip
def test_messages_of_user_errors(
    project: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_init_refuses_to_overwrite(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["init", "echo", "--model", "suites/echo/model", "--source", "pytest.ini"]
    assert cli.main([*arguments, "--reference", "pytest.ini", "--variants", "torch"]) == 2
    assert "already exists; overwrite with --force" in capsys.readouterr().err
    assert (project / "suites/echo/suite.py").read_text() == SUITE
