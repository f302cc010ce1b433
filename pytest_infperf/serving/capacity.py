"""The instances that a request rate takes, and their cost, from the highest rate of one instance.

That rate under a limit on latency is measured by `variant.load("Server")`. The rates of several
instances are assumed to add up, which holds behind a load balancer as long as the instances share
nothing. Nothing is projected from one instance type to another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.cost.billing import price_of_host
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.points import at
from pytest_infperf.records.record import Record, RunRecord

HOURS_A_MONTH = 730.0
_HIGHEST_RATE = at("highest_rate", "Server")


@dataclass(frozen=True)
class Demand:
    """The rate to serve, and the reserve to keep."""

    rate: float
    """Requests per second."""
    utilisation: float = 0.8
    """Share of an instance's highest rate that is planned for; the rest is for bursts."""
    spare: int = 1
    """Instances beyond those that the rate takes, so that one can fail."""


@dataclass(frozen=True)
class InstanceCapacity:
    """What one instance of a type was measured to sustain, with one variant."""

    host: str
    """Instance type, or the CPU model of a host that is no instance."""
    suite: str
    variant: str
    rate: float
    """Highest rate under the limit on latency, in requests per second."""
    workers: int
    """Server processes on the instance."""
    cores_used: float
    """Average CPU usage at the highest rate, in cores."""
    cores: int
    """Logical cores of the instance."""
    batch_rate: float | None
    """Throughput in batches without waiting requests, in samples per second."""
    usd_per_hour: float | None
    """Price of the instance, in US dollars per hour; None if it is not known."""
    price_source: str = ""


@dataclass(frozen=True)
class CapacityPlan:
    """The instances of one type that a demand takes, and their cost."""

    capacity: InstanceCapacity
    demand: Demand

    @property
    def instances(self) -> int:
        """Number of instances, with the spare ones."""
        planned_rate = self.capacity.rate * self.demand.utilisation
        return math.ceil(self.demand.rate / planned_rate) + self.demand.spare

    @property
    def replicas(self) -> int:
        """Number of server processes on all instances."""
        return self.instances * self.capacity.workers

    @property
    def usd_per_month(self) -> float | None:
        """Cost of all instances, in US dollars per month of 730 hours."""
        price = self.capacity.usd_per_hour
        return None if price is None else self.instances * price * HOURS_A_MONTH

    @property
    def usd_per_million(self) -> float | None:
        """Cost of a million requests at the demanded rate, in US dollars.

        Instances that wait for requests are paid for too.
        """
        price = self.capacity.usd_per_hour
        return None if price is None else self.instances * price / (self.demand.rate * 3600) * 1e6

    @property
    def batch_usd_per_million(self) -> float | None:
        """Cost of a million samples in batches, in US dollars, on instances that then end."""
        price, rate = self.capacity.usd_per_hour, self.capacity.batch_rate
        return None if price is None or not rate else price / 3600 / rate * 1e6

    @property
    def batch_hours(self) -> float | None:
        """Time that one instance takes in batches for the requests of a day, in hours."""
        rate = self.capacity.batch_rate
        return self.demand.rate * 86_400 / rate / 3600 if rate else None

    def target_tracking(self) -> dict[str, Any]:
        """Return the settings of an Auto Scaling group behind an Application Load Balancer.

        They hold two target tracking configurations for put-scaling-policy, by requests and by
        CPU; one of them is enough.
        """
        capacity, utilisation = self.capacity, self.demand.utilisation
        requests_per_minute = 60 * capacity.rate * utilisation
        cpu_percent = 100 * utilisation * min(1.0, capacity.cores_used / capacity.cores)
        return {
            "MinSize": 1 + self.demand.spare,
            "MaxSize": 2 * self.instances,
            "DesiredCapacity": self.instances,
            "ALBRequestCountPerTarget": {
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget"
                },
                "TargetValue": float(f"{requests_per_minute:.3g}"),
            },
            "ASGAverageCPUUtilization": {
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ASGAverageCPUUtilization"
                },
                "TargetValue": float(f"{cpu_percent:.3g}"),
            },
        }


def instance_capacities(
    runs: Sequence[RunRecord], table: PriceTable | None = None
) -> list[InstanceCapacity]:
    """Return the capacities in the records that have a highest rate.

    Of several records of one variant on one host the last counts. A run without a price of its own
    takes the table's.
    """
    latest: dict[tuple[str, str, str], InstanceCapacity] = {}
    for run in runs:
        host = next(iter(host_names(run.host)), "unknown host")
        for record in run.records:
            highest_rate = record.measures.get(_HIGHEST_RATE)
            if highest_rate and highest_rate.value:
                latest[record.suite, record.variant, host] = _capacity(host, record, run, table)
    return list(latest.values())


def by_cost(plans: Sequence[CapacityPlan]) -> list[CapacityPlan]:
    """Sort the cheapest first, and those without a price last, by their number of instances."""
    return sorted(
        plans,
        key=lambda plan: (plan.usd_per_month is None, plan.usd_per_month or 0.0, plan.instances),
    )


def _capacity(
    host: str, record: Record, run: RunRecord, table: PriceTable | None
) -> InstanceCapacity:
    price = price_of_host(run.host, table)
    cpu_usage = record.measures.get(at("cpu_usage", "Server"))
    batch_rates = [
        record.measures[name].value
        for name in (at("throughput", "Offline"), "throughput")
        if name in record.measures
    ]
    return InstanceCapacity(
        host,
        record.suite,
        record.variant,
        record.measures[_HIGHEST_RATE].value,
        record.settings.serving.workers if record.settings.serving else 1,
        cpu_usage.value if cpu_usage else 0.0,
        int(run.host.get("logical_cores") or 1),
        max(batch_rates, default=None),
        price.usd_per_hour if price else None,
        price.source if price else "",
    )
