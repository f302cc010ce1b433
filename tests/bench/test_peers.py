"""Minutes of two commits are recorded, kept in a file, and shown as a table."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import peer_recordings, peers
from bench.peer_recordings import Minute, ProcessPair, ToolRun
from bench.peer_rules import Answer, Rule, infperf, mann_whitney, pytest_benchmark, rules
from pytest_infperf.settings import Settings
from pytest_infperf.suite.discovery import SuiteAddress

HOST = {"cpu": "Some CPU", "cores": "2", "date": "2026-11-28"}
SUITE = """
from pytest_infperf import Echo, Fake, Suite

suite = Suite(
    "echo", task=Echo(count=40), model="model", baseline="fake", variants=[Fake(query_ms=0.2)]
)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Minute:
    """Return a short minute of the fake backend and of a copy that takes three times as long."""
    folder = tmp_path_factory.mktemp("peers")
    (folder / "model").mkdir()
    (folder / "model" / "weights.txt").write_text("a model of no weight\n")
    (folder / "suite_of_peers.py").write_text(SUITE)
    short = [replace(stage, least_s=0.2) for stage in peer_recordings.STAGES]
    settings = Settings(folder, cache=folder / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        address = SuiteAddress(str(folder), "suite_of_peers")
        return peer_recordings.record(address, "fake", 2.0, settings, budget_s=2.0, stages=short)


def test_a_minute_has_the_processes_of_every_stage(recorded: Minute) -> None:
    assert recorded.slowdown == 2.0
    sides = {name: [run.side for run in runs] for name, runs in recorded.runs.items()}
    assert sides == {stage.name: [*stage.order] for stage in peer_recordings.STAGES}
    runs = [run for runs in recorded.runs.values() for run in runs]
    assert all(run.start_s > 0 for run in runs)
    assert all(run.pass_ns for run in runs)


def test_a_pass_runs_all_its_inputs(recorded: Minute) -> None:
    base, head = recorded.runs[peer_recordings.IN_A_ROW.name]
    assert min(base.pass_ns) >= 1.6e6
    assert min(head.pass_ns) >= 4.8e6


def test_the_pairs_of_a_minute_fill_the_budget(recorded: Minute) -> None:
    pairs = [pair for process in recorded.processes for pair in process.pairs]
    starts_s = sum(process.start_s for process in recorded.processes[1:])
    assert sum(seconds for _, seconds in pairs) + starts_s >= 2.0


def test_rules_judge_a_recorded_minute(recorded: Minute) -> None:
    """A difference by a factor of three is found on any host."""
    assert infperf(2.0, recorded).call == "slower"
    assert pytest_benchmark("min:5%", recorded).call == "slower"
    assert mann_whitney(recorded).call == "slower"


def test_a_recording_is_read_as_it_was_written(recorded: Minute, tmp_path: Path) -> None:
    path = tmp_path / "new" / "peers.json"
    peer_recordings.save(path, HOST, [recorded])
    assert peer_recordings.load(path) == (HOST, [recorded])


@pytest.mark.parametrize("text", ["{}", "[]", '{"schema": 0}', "no JSON"])
def test_other_files_are_no_recordings(text: str, tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"not a recording|Expecting value"):
        peer_recordings.load(path)


def test_slowdowns_are_measured_equally_often() -> None:
    drawn = [*peer_recordings.schedule(4, seed=1)]
    assert sorted(drawn) == sorted(4 * peer_recordings.SLOWDOWNS)
    assert [*peer_recordings.schedule(4, seed=1)] == drawn


def minutes(*slowdowns: float) -> list[Minute]:
    return [Minute(slowdown, [], {}) for slowdown in slowdowns]


def test_a_row_counts_the_answers() -> None:
    def ask(minute: Minute) -> Answer:
        if minute.slowdown == 0.03:
            return Answer("undecided", 40.0)
        return Answer("slower" if minute.slowdown else "not slower", 10.0)

    lines = [*peers.table(minutes(0.0, 0.0, 0.03, 0.05), [Rule("ours", ask)])]
    assert lines == [
        "| rule | false alarms on equal code | 5 % found | 3 % found | undecided | seconds |",
        "|---|---|---|---|---|---|",
        "| ours | 0 of 2 | 1 of 1 | 0 of 1 | 1 of 4 | 10 |",
    ]


def test_a_row_says_that_a_tool_is_not_installed() -> None:
    def ask(minute: Minute) -> Answer:
        import no_such_tool  # noqa: F401

        raise AssertionError

    row = str(peers.ask(Rule("theirs", ask), minutes(0.0)))
    assert "not installed (no no_such_tool): `pip install 'pytest-infperf[peers]'`" in row
    assert row.count("|") == len(peers.COLUMNS) + 1


def test_a_row_says_that_a_tool_has_changed() -> None:
    def ask(minute: Minute) -> Answer:
        from math import no_such_function  # type: ignore[attr-defined]  # noqa: F401

        raise AssertionError

    row = str(peers.ask(Rule("theirs", ask), minutes(0.0)))
    assert "another version: cannot import name 'no_such_function'" in row


def test_a_recording_is_judged_again(
    recorded: Minute, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = Minute(
        0.05,
        [ProcessPair(0.5, [(0.1 + 0.001 * (i % 5), 0.1) for i in range(500)])],
        {
            stage.name: [
                ToolRun(side, 0.5, [10_000_000 if side == "base" else 11_000_000] * 460)
                for side in stage.order
            ]
            for stage in peer_recordings.STAGES
        },
    )
    path = tmp_path / "peers.json"
    peer_recordings.save(path, HOST, [long])
    assert peers.main(["--replay", str(path)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("## Comparison with other rules\n")
    assert "Some CPU" in output
    for rule in rules():
        assert f"| {rule.name} |" in output


def test_a_missing_recording_is_an_error_of_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        peers.main(["--replay", str(tmp_path / "peers.json")])
    assert "No such file" in capsys.readouterr().err


def test_at_least_one_run_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        peers.main(["--runs", "0"])
    assert "--runs must be at least 1" in capsys.readouterr().err
