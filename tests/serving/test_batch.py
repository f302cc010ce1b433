"""Costs of a number of samples, as a batch job and in real time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_infperf.serving.batch import samples_costs
from pytest_infperf.serving.capacity import CapacityPlan, Demand, InstanceCapacity

CAPACITY = InstanceCapacity(
    "c7i.large", "echo", "fast", 50.0, 2, 1.2, 2, 200.0, 0.09,
    rate_bounds=(40.0, 62.5), batch_bounds=(160.0, 250.0), spot_usd_per_hour=0.03,
)  # fmt: skip
PLAN = CapacityPlan(CAPACITY, Demand(1000, 0.8, 0))
MILLION = 1_000_000


def test_a_batch_job_costs_its_instance_hours() -> None:
    job, spot, real_time = samples_costs(PLAN, MILLION)
    assert [cost.way for cost in (job, spot, real_time)] == [
        "batch job",
        "batch job, spot",
        "real time",
    ]
    assert job.instances == 1
    assert job.hours.value == pytest.approx(MILLION / 200 / 3600)
    assert job.usd is not None
    assert spot.usd is not None
    assert job.usd.value == pytest.approx(MILLION / 200 / 3600 * 0.09)
    assert job.usd.low == pytest.approx(MILLION / 250 / 3600 * 0.09)
    assert job.usd.high == pytest.approx(MILLION / 160 / 3600 * 0.09)
    assert spot.usd.value == pytest.approx(job.usd.value / 3)


def test_real_time_costs_the_fleet_while_the_samples_come() -> None:
    real_time = samples_costs(PLAN, MILLION)[-1]
    hours = MILLION / 1000 / 3600
    assert (real_time.instances, real_time.hours.value) == (25, pytest.approx(hours))
    assert real_time.usd is not None
    bounds = (real_time.usd.low, real_time.usd.value, real_time.usd.high)
    assert bounds == pytest.approx([n * 0.09 * hours for n in (20, 25, 32)])
    four = replace(PLAN, capacity=replace(CAPACITY, samples_per_request=4.0))
    assert samples_costs(four, MILLION)[-1].hours.value == pytest.approx(hours / 4)


def test_a_job_with_a_deadline_takes_instances_for_the_lower_bound_of_the_throughput() -> None:
    job = samples_costs(PLAN, MILLION, within_hours=0.5)[0]
    assert job.instances == 4  # 1.74 hours of work at 160 samples/s
    assert job.hours.value == pytest.approx(MILLION / 200 / 3600 / 4)
    assert job.hours.high is not None
    assert job.hours.high < 0.5


def test_unknown_quantities_are_left_out() -> None:
    unknown = replace(
        CAPACITY, batch_rate=None, usd_per_hour=None, spot_usd_per_hour=None,
        rate_bounds=(None, None),
    )  # fmt: skip
    [real_time] = samples_costs(replace(PLAN, capacity=unknown), MILLION)
    assert (real_time.way, real_time.usd) == ("real time", None)
    open_ended = replace(CAPACITY, rate_bounds=(40.0, None), batch_bounds=(160.0, None))
    job, _, real_time = samples_costs(replace(PLAN, capacity=open_ended), MILLION)
    assert job.usd is not None
    assert real_time.usd is not None
    assert (job.usd.low, real_time.usd.low) == (None, None)
