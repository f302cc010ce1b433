"""Markdown and workflow commands, in which hostile names must have no effect."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from pytest_infperf.report import github, markdown

HOSTILE = "a|b`<img src=x>\n# head [x](y) ::error::"


@pytest.fixture
def hostile() -> RunRecord:
    gate = GateRecord(
        "m", "max = 1", Verdict.FAIL, f"why {HOSTILE}", "do, 5 %", "thresholds.toml:7"
    )
    record = Record(HOSTILE, HOSTILE, {"latency_p50": Measure(0.01, "s")}, [gate])
    record.errors.append("died\nof <b>memory</b>")
    return RunRecord({"cpu_model": "<script>"}, None, [record])


def test_markdown_escapes_names_and_messages(hostile: RunRecord) -> None:
    text = markdown.summary(hostile)
    assert "<img" not in text
    assert "<script" not in text
    assert "\n# head" not in text
    header, rule, row = [line for line in text.splitlines() if line.startswith("|")]
    assert "\\|" in row, "the name has a bar"
    assert header.count("|") == rule.count("|") == row.replace("\\|", "").count("|")


def test_the_summary_of_a_run(translation: RunRecord, snapshot: SnapshotAssertion) -> None:
    assert markdown.summary(translation) == snapshot


def test_the_workflow_commands_of_a_run(
    translation: RunRecord, snapshot: SnapshotAssertion
) -> None:
    commands = github.workflow_commands(translation, Path("/w"), {"GITHUB_ACTIONS": "true"})
    assert "\n".join(commands) == snapshot


def test_a_workflow_command_is_one_line(hostile: RunRecord) -> None:
    lines = list(github.workflow_commands(hostile, Path("/w"), {"GITHUB_ACTIONS": "true"}))
    assert len(lines) == 2
    assert all("\n" not in line for line in lines)
    head, _, message = lines[0].removeprefix("::error ").partition("::")
    where = dict(part.split("=", 1) for part in head.split(","))
    assert where["file"] == "thresholds.toml"
    assert where["line"] == "7"
    assert "%3A%3Aerror" in where["title"]
    assert message.endswith("do, 5 %25")
    assert "%0Aof" in lines[1]


def test_there_are_no_workflow_commands_outside_github_actions(hostile: RunRecord) -> None:
    assert list(github.workflow_commands(hostile, Path("/w"), {})) == []


def test_a_summary_is_appended(hostile: RunRecord, tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    assert github.write_summary(hostile, {"GITHUB_STEP_SUMMARY": str(path)}) is None
    assert path.read_text().startswith("before\n## Inference")


def test_a_summary_that_is_too_long_is_replaced_by_a_line(
    hostile: RunRecord, tmp_path: Path
) -> None:
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * 1024**2)
    github.write_summary(hostile, {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text().endswith("see the job's log.\n")


def test_a_summary_that_cannot_be_written_is_reported(hostile: RunRecord, tmp_path: Path) -> None:
    trouble = github.write_summary(hostile, {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert trouble
    assert "was not written" in trouble


def test_without_records_there_is_no_summary(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    github.write_summary(RunRecord({}, None), {"GITHUB_STEP_SUMMARY": str(path)})
    assert not path.exists()
