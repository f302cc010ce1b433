"""Instances, cost and autoscaling from made-up records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_infperf.cli import main
from pytest_infperf.cost import prices
from pytest_infperf.records import file as record_file
from pytest_infperf.records.evidence import ServerSettings, VariantSettings
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record, RunRecord
from pytest_infperf.serving.capacity import (
    CapacityPlan,
    Demand,
    InstanceCapacity,
    by_cost,
    instance_capacities,
)

CAPACITY = InstanceCapacity("c7i.large", "echo", "fast", 50.0, 2, 1.2, 2, 200.0, 0.09)


def run_record(instance: str | None, rate: float, usd: float | None) -> RunRecord:
    host = {"instance_type": instance, "cpu_model": "a CPU", "logical_cores": 2}
    if usd is not None:
        host |= {"usd_per_hour": usd, "price_source": "a table"}
    measures = {
        "highest_rate@Server": Measure(rate, "requests/s"),
        "cpu_usage@Server": Measure(1.0, "cores"),
        "throughput": Measure(4 * rate, "samples/s"),
    }
    settings = VariantSettings(serving=ServerSettings(2, 64, 1, 0.0, 30.0, 1000, 1, [0], [1]))
    return RunRecord(host, None, [Record("echo", "fast", measures, settings=settings)])


def test_as_many_instances_as_the_rate_takes_at_that_utilisation() -> None:
    assert CapacityPlan(CAPACITY, Demand(40, 0.8, 0)).instances == 1
    assert CapacityPlan(CAPACITY, Demand(40.1, 0.8, 0)).instances == 2
    plan = CapacityPlan(CAPACITY, Demand(1000, 0.8, 1))
    assert (plan.instances, plan.replicas) == (26, 52)


def test_cost_by_month_and_by_million() -> None:
    plan = CapacityPlan(CAPACITY, Demand(1000, 0.8, 0))
    assert plan.usd_per_month == pytest.approx(25 * 0.09 * 730)
    assert plan.usd_per_million == pytest.approx(25 * 0.09 / 3.6e6 * 1e6)
    assert plan.batch_usd_per_million == pytest.approx(0.09 / 3600 / 200 * 1e6)
    assert plan.batch_hours == pytest.approx(1000 * 86_400 / 200 / 3600)


def test_autoscaling_targets_are_at_the_utilisation() -> None:
    tracking = CapacityPlan(CAPACITY, Demand(100, 0.8, 1)).target_tracking()
    assert tracking["ALBRequestCountPerTarget"]["TargetValue"] == 50 * 0.8 * 60
    assert tracking["ASGAverageCPUUtilization"]["TargetValue"] == pytest.approx(48)
    assert tracking["MinSize"] <= tracking["DesiredCapacity"] <= tracking["MaxSize"]


def test_capacities_come_from_records_with_a_highest_rate() -> None:
    table = prices.table(None, Path.cwd())
    plain = RunRecord({}, None, [Record("echo", "slow")])
    [capacity] = instance_capacities([plain, run_record("c7i.large", 30, 0.2)], table)
    assert (capacity.host, capacity.rate, capacity.workers, capacity.usd_per_hour) == (
        "c7i.large",
        30,
        2,
        0.2,
    )
    assert capacity.batch_rate == 120


def test_the_cheapest_plan_comes_first_and_unpriced_ones_last() -> None:
    table = prices.table(None, Path.cwd())
    runs = [
        run_record(None, 500, None),
        run_record("a.large", 50, 0.1),
        run_record("b.large", 100, 0.15),
    ]
    ordered = by_cost([CapacityPlan(c, Demand(1000)) for c in instance_capacities(runs, table)])
    assert [plan.capacity.host for plan in ordered] == ["b.large", "a.large", "a CPU"]


def test_the_command(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    files = []
    for name, rate, usd in (("a.large", 50.0, 0.1), ("b.large", 100.0, 0.15)):
        files.append(str(tmp_path / f"{name}.json"))
        record_file.write(Path(files[-1]), run_record(name, rate, usd))
    scaling = tmp_path / "scaling.json"
    assert main(["plan", *files, "--rate", "3600000/h", "--autoscaling", str(scaling)]) == 0
    out = capsys.readouterr().out
    assert out.replace(str(tmp_path), "") == snapshot
    assert "echo at 1,000 requests/s, 80 % of an instance's highest rate, 1 to spare" in out
    assert "cheapest: fast on 14 x b.large, 1533 USD a month (prices: a table)" in out
    assert json.loads(scaling.read_text())["echo"]["DesiredCapacity"] == 14


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--rate", "fast"], "write 100/s"),
        (["--rate", "0/s"], "write 100/s"),
        (["--rate", "1/s", "--utilisation", "1.5"], "at most 1"),
        (["--rate", "1/s", "--spare", "-1"], "0 instances or more"),
        (["--rate", "1/s", "--suite", "other"], "no highest rate"),
    ],
)
def test_mistakes_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], word: str
) -> None:
    record_file.write(tmp_path / "a.json", run_record("a.large", 50, 0.1))
    assert main(["plan", str(tmp_path / "a.json"), *options]) == 2
    assert word in capsys.readouterr().err
