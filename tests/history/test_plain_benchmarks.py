"""Saved runs of pytest-benchmark in a project without a suite are compared and followed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_infperf import cli
from pytest_infperf.history.store import HistoryStore
from tests.other_plugins import LEFT_OUT


@pytest.fixture
def storage(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that pytest-benchmark saved, and one in which everything takes twice as long."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.chdir(pytester.path)
    pytester.makepyfile(
        test_sums="""
        import pytest

        @pytest.mark.benchmark(group="sums")
        def test_short(benchmark): benchmark.pedantic(sum, ([1, 2],), rounds=20)

        def test_long(benchmark): benchmark.pedantic(sum, (range(100),), rounds=20)

        @pytest.mark.parametrize("count", [7])
        def test_each(benchmark, count): benchmark.pedantic(sum, (range(count),), rounds=20)
        """
    )
    pytester.runpytest_inprocess(*LEFT_OUT, "--benchmark-autosave", "--benchmark-save-data")
    (first,) = (pytester.path / ".benchmarks").glob("*/*.json")
    document = json.loads(first.read_text())
    for benchmark in document["benchmarks"]:  # Times of a busy host can drift.
        stats = benchmark["stats"]
        stats["data"] = [stats["median"] * (0.99 + i % 3 / 100) for i in range(stats["rounds"])]
    first.write_text(json.dumps(document))
    document["datetime"] = "2999-01-01T00:00:00+00:00"
    for benchmark in document["benchmarks"]:
        for name in ("min", "median", "mean", "stddev"):
            benchmark["stats"][name] *= 2
        del benchmark["stats"]["data"]
    first.with_name("0002_later.json").write_text(json.dumps(document))
    return first.parents[1]


def test_plain_runs_are_compared_and_followed(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = HistoryStore(storage).runs
    short = first.run.records[0]
    assert (short.suite, short.variant) == ("sums", "test_sums.py::test_short")
    median, mean = (short.measures[name] for name in ("latency_p50", "latency_mean"))
    assert median.n == 20
    assert median.low is not None
    assert median.high is not None
    assert median.low <= median.value <= median.high
    assert mean.low is not None
    assert mean.low < mean.value
    assert second.run.records[1].suite == "benchmarks"
    assert second.run.records[0].measures["latency_p50"].low is None, "the times were not saved"
    assert first.run.host["cpu_model"]

    assert cli.main(["compare", "1", "2", "--measures=latency_p50"]) == 0
    shown = capsys.readouterr().out
    assert "test_sums.py::test_long" in shown
    assert shown.count("+100.0 %") == 3
    assert "The hosts are equal" in shown
    assert cli.main(["history"]) == 0
    assert "2 runs" in capsys.readouterr().out


def test_a_parametrised_test_is_chosen_by_its_name(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a glob, the brackets of the name would be a set of characters."""
    name = "--variants=test_sums.py::test_each[7]"
    for command in (["compare", "1", "2", "--measures=latency_min,latency_p50"], ["history"]):
        assert cli.main([*command, name]) == 0
        shown = capsys.readouterr().out
        assert "latency_p50" in shown
        assert "test_each[7]" in shown
        assert "test_short" not in shown


def test_a_choice_that_leaves_nothing_is_an_error(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", "1", "2", "--measures=latency_p5"]) == 2
    assert "--measures latency_p5: no saved run has it" in capsys.readouterr().err
