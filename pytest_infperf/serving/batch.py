"""Cost of a number of samples as a batch job, and as requests to a fleet in real time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pytest_infperf.serving.capacity import CapacityPlan


@dataclass(frozen=True)
class Estimate:
    """A quantity with bounds that follow from those of the measured rate."""

    value: float
    low: float | None = None
    high: float | None = None

    def __mul__(self, factor: float) -> Estimate:
        low, high = (None if bound is None else bound * factor for bound in (self.low, self.high))
        return Estimate(self.value * factor, low, high)


@dataclass(frozen=True)
class SamplesCost:
    """Resources and cost of answering a number of samples in one way."""

    way: str
    """The way: `batch job`, `batch job, spot` or `real time`."""
    instances: int
    hours: Estimate
    """Time until all samples are answered, in hours, without the start of instances."""
    usd: Estimate | None
    """Cost of all instances for that time, in US dollars; None if the price is not known."""


def samples_costs(
    plan: CapacityPlan, samples: int, within_hours: float | None = None
) -> list[SamplesCost]:
    """Return the cost of a number of samples in each way that was measured.

    Parameters
    ----------
    plan : CapacityPlan
        The instances that serve in real time, and the measured rates.
    samples : int
        The number of samples, at least one.
    within_hours : float, optional
        The time limit of a batch job, in hours; None uses one instance. The number of instances is
        that for the lower bound of the throughput.

    Returns
    -------
    list of SamplesCost
        A batch job if the throughput in batches was measured, the same on spot instances if their
        price is known, and real time.
    """
    return [*_batch_jobs(plan, samples, within_hours), _real_time(plan, samples)]


def _batch_jobs(plan: CapacityPlan, samples: int, within_hours: float | None) -> list[SamplesCost]:
    capacity = plan.capacity
    if not capacity.batch_rate:
        return []
    slow, fast = capacity.batch_bounds
    work = Estimate(
        samples / capacity.batch_rate / 3600,
        samples / fast / 3600 if fast else None,
        samples / slow / 3600 if slow else None,
    )
    longest = work.value if work.high is None else work.high
    instances = math.ceil(longest / within_hours) if within_hours else 1
    hours = work * (1 / instances)
    ways = {"batch job": capacity.usd_per_hour, "batch job, spot": capacity.spot_usd_per_hour}
    return [
        SamplesCost(way, instances, hours, None if price is None else work * price)
        for way, price in ways.items()
        if price is not None or way == "batch job"
    ]


def _real_time(plan: CapacityPlan, samples: int) -> SamplesCost:
    """Return the cost of the fleet while the samples arrive at the demanded rate.

    The number of instances has the bounds of the highest rate of one.
    """
    capacity = plan.capacity
    hours = samples / capacity.samples_per_request / plan.demand.rate / 3600
    usd = None
    if capacity.usd_per_hour is not None:
        slow, fast = (
            replace(plan, capacity=replace(capacity, rate=bound)).instances if bound else None
            for bound in capacity.rate_bounds
        )
        usd = Estimate(plan.instances, fast, slow) * (hours * capacity.usd_per_hour)
    return SamplesCost("real time", plan.instances, Estimate(hours), usd)
