"""Instances, cost and autoscaling from simulated records."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_infperf.cli import main
from pytest_infperf.cost import prices
from pytest_infperf.records import file as record_file
from pytest_infperf.records.evidence import (
    CpuWindows,
    Evidence,
    LoadEvidence,
    ServerSettings,
    SteadyPart,
    VariantSettings,
)
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from pytest_infperf.serving import backlog
from pytest_infperf.serving.backlog import LatencyLimit, sustained_rate
from pytest_infperf.serving.capacity import (
    CapacityPlan,
    Demand,
    InstanceCapacity,
    by_cost,
    instance_capacities,
)
from pytest_infperf.serving.server.telemetry import Telemetry

LOADED = (0.010, 0.010, 0.020, 0.020, 0.020, 0.030)
"""Minimum, percentiles 50, 90, 95, 99 and maximum of latency, in seconds."""
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
    assert "echo at 1,000 requests/s, 80 % of an instance's highest rate, 1 spare" in out
    assert "cheapest: fast on 14 x b.large, 1533 USD a month (prices: a table)" in out
    assert json.loads(scaling.read_text())["echo"]["DesiredCapacity"] == 14


def test_a_highest_rate_in_doubt_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_record("a.large", 50.0, 0.1)
    doubt = "the load generator was busy for 95% of its core"
    run.records[0].evidence = Evidence(
        loads={
            "Server": LoadEvidence(
                requests=9, answered=9, errors={}, dropped=0, seconds=1.0, timeline=[],
                steady=SteadyPart(0, 9, 9), service_mean_s=0.1, generator_busy=[0.95],
                generator_lag_p99_s=0.0, cpu_usage_by_window=CpuWindows(1.0, 1.0, 1.0),
                energy_source=None, died_workers=0, trials={}, doubt=doubt, spoilt_runs=[],
            )
        }
    )  # fmt: skip
    record_file.write(tmp_path / "a.json", run)
    assert main(["plan", str(tmp_path / "a.json"), "--rate", "100/s"]) == 0
    assert f"the highest rate of fast on a.large is in doubt: {doubt}" in capsys.readouterr().out
    record_file.write(tmp_path / "a.json", run_record("a.large", 50.0, 0.1))
    assert main(["plan", str(tmp_path / "a.json"), "--rate", "100/s"]) == 0
    assert "in doubt" not in capsys.readouterr().out


def open_loop_record(
    *gates: tuple[str, str, Verdict], errors: float | None = 0.0, load: str = "rate=20"
) -> RunRecord:
    """Return a record without a highest rate, with limits at loads."""
    run = run_record("a.large", 50.0, 0.1)
    [record] = run.records
    del record.measures["highest_rate@Server"], record.measures["cpu_usage@Server"]
    record.measures[f"cpu_usage@{load}"] = Measure(0.5, "cores")
    record.measures[f"throughput@{load}"] = Measure(40, "samples/s")
    record.measures[f"requests_per_hour@{load}"] = Measure(20 * 3600, "requests/h")
    if errors is not None:
        record.measures[f"error_rate@{load}"] = Measure(errors, "fraction")
    record.gates = [GateRecord(measure, limit, verdict, "why") for measure, limit, verdict in gates]
    return run


KEPT = ("latency_p99@rate=20", 'max = "250 ms"', Verdict.PASS)
BROKEN = ("latency_p99@rate=40", 'max = "250 ms"', Verdict.FAIL)
FEW_ERRORS = ("error_rate@rate=20", "max = 0.01", Verdict.PASS)


@pytest.mark.parametrize("load", ["rate=20", "rate=20-1000"])
def test_an_open_loop_whose_limits_passed_bounds_the_rate(load: str) -> None:
    kept = (f"latency_p99@{load}", *KEPT[1:])
    [capacity] = instance_capacities([open_loop_record(kept, BROKEN, load=load)])
    assert (capacity.rate, capacity.rate_bounds, capacity.load) == (20, (20, None), load)
    assert (capacity.cores_used, capacity.samples_per_request) == (0.5, 2)
    assert capacity.sustained == "at least 20 requests/s"


def test_the_highest_of_several_open_loops_counts_unless_there_is_a_highest_rate() -> None:
    lower = ("latency_p90@rate=5", 'max = "250 ms"', Verdict.PASS)
    run = open_loop_record(lower, KEPT)
    run.records[0].measures["error_rate@rate=5"] = Measure(0.0, "fraction")
    assert [capacity.rate for capacity in instance_capacities([run])] == [20]
    run.records[0].measures["highest_rate@Server"] = Measure(8, "requests/s")
    assert [capacity.sustained for capacity in instance_capacities([run])] == ["8 requests/s"]


@pytest.mark.parametrize(
    "run",
    [
        open_loop_record(),
        open_loop_record(BROKEN),
        open_loop_record((*KEPT[:2], Verdict.INCONCLUSIVE)),
        open_loop_record(KEPT, (*FEW_ERRORS[:2], Verdict.FAIL), errors=0.1),
        open_loop_record(KEPT, errors=0.001),
        open_loop_record(KEPT, errors=None),
        open_loop_record(FEW_ERRORS),
        open_loop_record(("latency_p99@rate=20", "max_ratio = 1.1", Verdict.PASS)),
        open_loop_record(("latency_p99@rate=20:form", *KEPT[1:]), load="rate=20:form"),
        open_loop_record(("latency_p99@users=4", *KEPT[1:]), load="users=4"),
    ],
    ids=[
        "no limit", "broken", "inconclusive", "too many errors", "errors", "errors not measured",
        "no limit on latency", "a ratio", "payload", "closed loop",
    ],
)  # fmt: skip
def test_other_loads_give_no_rate(run: RunRecord) -> None:
    assert instance_capacities([run]) == []


def test_errors_within_a_limit_that_passed_do_not_matter() -> None:
    [capacity] = instance_capacities([open_loop_record(KEPT, FEW_ERRORS, errors=0.001)])
    assert capacity.rate == 20


def test_the_command_plans_with_an_open_loop_and_says_that_the_rate_may_be_higher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    path = tmp_path / "a.json"
    record_file.write(path, open_loop_record(KEPT))
    assert main(["plan", str(path), "--rate", "100/s"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("a.large fast at least 20 8 16 ") for line in lines)
    assert (
        "fast on a.large may sustain more than rate=20, at which its limits passed: add "
        "Server(limit_s=...) to measure the highest rate"
    ) in lines
    record_file.write(path, open_loop_record(("latency_p99@users=4", *KEPT[1:]), load="users=4"))
    assert main(["plan", str(path), "--rate", "100/s"]) == 2
    assert "a closed loop gives no such rate" in capsys.readouterr().err


def timed(load: str | None) -> RunRecord:
    """Return a record with times of single requests: 10 ms each, and 10 to 30 ms over HTTP."""
    run = run_record("c7i.large", 50, 0.2)
    run.records[0].evidence = Evidence(latency_percentiles_s=[0.010] * 101)
    for name, time in zip(("min", "p50", "p90", "p95", "p99", "max"), LOADED, strict=True):
        if load:
            run.records[0].measures[f"latency_{name}@{load}"] = Measure(time, "s")
    return run


@pytest.mark.parametrize("load", ["users=1", "SingleStream"])
def test_service_times_are_those_of_a_load_without_waiting(load: str) -> None:
    [capacity] = instance_capacities([timed(load)])
    times = list(capacity.service_s)
    assert len(times) == 100
    assert times[:50] == pytest.approx([0.010] * 50)
    assert times[70] == pytest.approx(0.010 + 0.010 * 20.5 / 40)
    assert times[90:] == pytest.approx([0.020] * 9 + [0.025])
    assert capacity.processing_s == pytest.approx(sum(times) / 100 / 2)  # two processes


@pytest.mark.parametrize("load", [None, "users=4"])
def test_without_such_a_load_they_are_those_of_the_worker(load: str | None) -> None:
    [capacity] = instance_capacities([timed(load)])
    assert list(capacity.service_s) == pytest.approx([0.010] * 100)


def test_the_backlog_is_that_of_the_planned_share_of_the_rate() -> None:
    """With constant service, rho ** 2 / (2 * (1 - rho)) wait for each of the two processes."""
    [capacity] = instance_capacities([timed(None)])
    plan = CapacityPlan(capacity, Demand(100, 0.8, 1, LatencyLimit(0.25)))
    assert plan.acceptable_backlog == pytest.approx(0.25 / 0.005)
    busy = 0.8 * 25 * 0.010  # the measured rate of 50/s is lower than the modelled one
    assert plan.backlog_target == pytest.approx(2 * busy**2 / (2 * (1 - busy)))
    metric = plan.target_tracking()["BacklogPerInstance"]
    assert metric["TargetValue"] == pytest.approx(plan.backlog_target, rel=0.01)
    specification = metric["CustomizedMetricSpecification"]
    assert specification["MetricName"] == "infperf_waiting_requests"
    fast = replace(capacity, rate=1000.0)
    modelled = sustained_rate(fast.service_s, LatencyLimit(0.25))
    busy = 0.8 * modelled * 0.010
    waiting = replace(plan, capacity=fast).backlog_target
    assert waiting == pytest.approx(2 * busy**2 / (2 * (1 - busy)))


def test_without_times_or_a_limit_that_can_be_kept_there_is_no_backlog() -> None:
    for plan in (
        CapacityPlan(CAPACITY, Demand(100, limit=LatencyLimit(0.25))),
        CapacityPlan(replace(CAPACITY, service_s=[0.3] * 100), Demand(1, limit=LatencyLimit(0.25))),
        CapacityPlan(replace(CAPACITY, service_s=[0.01] * 100), Demand(100)),
    ):
        assert plan.backlog_target is None
        assert "BacklogPerInstance" not in plan.target_tracking()


def test_the_metric_of_the_backlog_is_one_of_the_server(tmp_path: Path) -> None:
    telemetry = Telemetry(tmp_path)
    assert telemetry.waiting._name == backlog.METRIC


def test_capacities_have_the_intervals_that_were_measured() -> None:
    run = run_record("c7i.large", 50, 0.2)
    measures = run.records[0].measures
    measures["highest_rate@Server"] = Measure(50, "requests/s", 45, 55)
    measures["throughput"] = Measure(200, "samples/s", 190, 210)
    measures["throughput@Server"] = Measure(400, "samples/s")
    measures["requests_per_hour@Server"] = Measure(100 * 3600, "requests/h")
    [capacity] = instance_capacities([run])
    assert (capacity.rate_bounds, capacity.batch_bounds) == ((45, 55), (190, 210))
    assert capacity.samples_per_request == 4


def priced(tmp_path: Path) -> str:
    instances = {
        "a.large": {"usd_per_hour": 0.1, "spot_usd_per_hour": 0.04},
        "inf2.xlarge": {"usd_per_hour": 0.75},
    }
    table = {"region": "us-east-1", "instances": instances}
    (tmp_path / "prices.json").write_text(json.dumps(table))
    return str(tmp_path / "prices.json")


def test_the_command_shows_the_backlog_batch_jobs_and_types_that_were_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    run = timed(None)
    run.host.update(instance_type="a.large", usd_per_hour=0.1)
    run.records[0].measures["throughput"] = Measure(200, "samples/s", 160, 250)
    record_file.write(tmp_path / "a.json", run)
    options = ["--latency-limit", "250 ms", "--samples", "1000000", "--beside", "inf2.xlarge"]
    arguments = ["plan", str(tmp_path / "a.json"), "--rate", "100/s", *options]
    assert main([*arguments, "--prices", priced(tmp_path)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "inf2.xlarge not measured 0.75 375" in lines
    assert "a.large fast batch job 1 1.39 [1.11, 1.74] 0.139 [0.111, 0.174]" in lines
    assert "a.large fast batch job, spot 1 1.39 [1.11, 1.74] 0.0556 [0.0444, 0.0694]" in lines
    assert "a.large fast real time 4 2.78 1.11" in lines
    [found] = [line for line in lines if line.startswith("backlog: ")]
    assert "waiting requests per instance on average (infperf_waiting_requests)" in found
    assert "keep the 99th percentile under 250 ms; 250 ms / 5 ms = 50 requests" in found


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--rate", "fast"], "write 100/s"),
        (["--rate", "0/s"], "write 100/s"),
        (["--rate", "1/s", "--suite", "other"], "no rate of other under a latency limit"),
        (["--rate", "1/s", "--within", "2"], "add --samples"),
        (["--rate", "1/s", "--beside", "inf2.xlarg"], "it has inf2.xlarge"),
        (["--rate", "1/s", "--template", "terraform", "x"], "the kind is cloudformation"),
        (["--rate", "1/s", "--template", "cloudformation", "x"], "--source FOLDER"),
    ],
)
def test_mistakes_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], word: str
) -> None:
    record_file.write(tmp_path / "a.json", run_record("a.large", 50, 0.1))
    assert main(["plan", str(tmp_path / "a.json"), *options]) == 2
    assert word in capsys.readouterr().err
