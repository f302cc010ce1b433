"""The output of a run: table, header, progress, and runs without a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from contextlib import suppress

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.plugin.small_project import VARIANTS, Outcome, Project

PROGRESS = re.compile(r"infperf \d+/\d+ · .*echo\[\w+\] ")


@pytest.fixture
def quick(project: Project) -> Project:
    project.only_tests_of("footprint")
    return project


def test_the_table_appears_once_with_a_row_per_variant(measured: Outcome) -> None:
    assert measured.text.count("echo · 3 variants · baseline slow") == 1
    headings = [line for line in measured.outlines if line.strip("= ") == "inference"]
    assert len(headings) == 1
    start = measured.outlines.index(headings[0])
    for variant in VARIANTS:
        assert any(line.startswith(variant) for line in measured.outlines[start:])


def test_the_header_has_version_host_and_budget(measured: Outcome) -> None:
    (line,) = [line for line in measured.outlines if line.startswith("infperf: ")]
    cores = measured.document["host"]["logical_cores"]
    assert re.fullmatch(
        rf"infperf: \d+\.\d+\.\d+, on .+, {cores} cores, budget 300 ms per test, "
        r"limits of thresholds\.toml",
        line,
    ), line


def test_broken_gates_and_remedies_are_below_the_table(measured: Outcome) -> None:
    table = measured.text.index("echo · 3 variants")
    below = " ".join(measured.text[table:].split())
    assert "FAIL echo[wrong] accuracy 75.00 is below the limit of 90.00" in below
    assert "(thresholds.toml:3)" in below
    assert "move the limit at thresholds.toml:3" in below


def test_what_is_said_of_a_broken_gate(measured: Outcome, snapshot: SnapshotAssertion) -> None:
    """Compare the message of the test in JUnit's file, and the lines below the table."""
    message = measured.message("test_quality[wrong]")
    below = measured.text[measured.text.index("echo · 3 variants") :]
    told = below[below.index("\nFAIL ") :].partition("\ninfperf time:")[0].strip()
    assert f"{message[message.index('FAIL ') :]}\n\n--- below\n{told}" == snapshot


def test_a_log_has_a_plain_line_when_the_suite_begins(measured: Outcome) -> None:
    lines = [line for line in measured.outlines if PROGRESS.search(line)]
    assert lines[0].startswith("infperf 1/12 · echo[")
    assert "\x1b" not in measured.text
    assert "\r" not in measured.text


def test_with_vv_a_log_has_a_line_for_each_phase(quick: Project) -> None:
    quick.only_tests_of("latency")
    lines = quick.measure("-vv").outlines
    assert any(line.endswith("echo[fast] measuring against slow") for line in lines)
    assert any(line.endswith("echo[fast] measuring latency") for line in lines)


def test_every_line_fits_an_80_column_terminal(quick: Project) -> None:
    quick.environment["COLUMNS"] = "80"
    result = quick.measure()
    start = next(i for i, line in enumerate(result.outlines) if line.strip("= ") == "inference")
    report = [line for line in result.outlines[start:] if not line.startswith("note: ")]
    assert all(len(line) <= 80 for line in report)


def test_quiet_shows_the_table_and_no_progress(quick: Project) -> None:
    result = quick.measure("-q")
    result.assert_outcomes(passed=3)
    assert "echo · 3 variants" in result.text
    assert not PROGRESS.search(result.text)


def test_printed_output_of_failed_tests_is_shown_once(quick: Project) -> None:
    quick.tests(
        """
        def test_footprint(variant):
            print("said by the test of", variant.id)
            variant.footprint()
            assert variant.id != "fast"
        """
    )
    result = quick.measure()
    result.assert_outcomes(passed=2, failed=1)
    assert result.text.count("said by the test of fast") == 1
    assert "said by the test of slow" not in result.text


@pytest.mark.parametrize("capture", ["-s", "--capture=sys", "--capture=tee-sys"])
def test_every_capture_method_works(quick: Project, capture: str) -> None:
    quick.measure(capture, "--infperf-variants=fast").assert_outcomes(passed=1)


def test_a_run_without_the_terminal_plugin_succeeds(quick: Project) -> None:
    result = quick.measure("-p", "no:terminal")
    assert result.ret == pytest.ExitCode.OK
    assert result.text == ""
    assert set(result.outcomes().values()) == {"passed"}
    assert len(result.document["records"]) == len(VARIANTS)


def test_a_run_without_the_terminal_reporter_succeeds(quick: Project) -> None:
    assert quick.measure("-p", "no:terminalreporter").ret == pytest.ExitCode.OK


def test_collect_only_does_not_locate_the_model(quick: Project) -> None:
    suite = quick.folder / "suites/echo/suite.py"
    suite.write_text(suite.read_text().replace("../../model", "nowhere"))
    result = quick.collect("-q")
    assert result.ret == pytest.ExitCode.OK
    assert "test_footprint[fast]" in result.text
    assert "echo ·" not in result.text


def test_a_run_without_suites_has_no_table(project: Project) -> None:
    project.tests("def test_arithmetic(): pass", "other/test_other.py")
    result = project.measure("other")
    result.assert_outcomes(passed=1)
    assert "inference" not in [line.strip("= ") for line in result.outlines]


def test_progress_on_a_terminal_is_one_line_that_is_erased(quick: Project) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        quick.command(*quick.measuring()),
        cwd=quick.folder,
        env={**quick.variables, "TERM": "xterm"},
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    output = b""
    with suppress(OSError):  # Linux raises it at the end of a pseudo-terminal
        while chunk := os.read(leader, 1 << 16):
            output += chunk
    os.close(leader)
    assert process.wait() == pytest.ExitCode.OK
    text = output.decode()
    assert "echo[fast] " in text
    assert "\r\x1b[2K" in text
    end = text[text.index("echo · 3 variants") :]
    assert "] building" not in end
    last_drawn = text.rindex("] starting")
    assert text.index("\r\x1b[2K", last_drawn) < text.index("echo · 3 variants")


def test_output_for_an_ascii_terminal_is_ascii(quick: Project) -> None:
    quick.environment.update(PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    result = quick.measure()
    result.assert_outcomes(passed=3)
    assert "echo | 3 variants" in result.text
    assert result.text.isascii()
