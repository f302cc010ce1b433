"""How many instances a rate takes, and what that costs, from the rate that one was seen to sustain.

One instance's highest rate under its latency limit is measured (`variant.load("Server")`).
Instances side by side are assumed to add up, which holds behind a load balancer as long as they
share nothing. Nothing is projected from one instance type to another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_infperf.cost.billing import price_of_host
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.points import at
from pytest_infperf.records.record import Record, RunRecord

HOURS_A_MONTH = 730.0
_SUSTAINED = at("highest_rate", "Server")


@dataclass(frozen=True)
class Aim:
    """What is to be served, and with how much room."""

    rate: float
    """Requests a second."""
    utilisation: float = 0.8
    """Of the highest rate that an instance is planned for: the rest is for bursts."""
    spare: int = 1
    """Instances beyond what the rate takes, so that one can fail."""


@dataclass(frozen=True)
class Site:
    """One variant on one host, as it was measured."""

    host: str
    suite: str
    variant: str
    rate: float
    """Requests a second of one instance at its limit."""
    workers: int
    cores_used: float
    """At that rate, on average."""
    cores: int
    batch_rate: float | None
    """Samples a second with nobody waiting."""
    usd_per_hour: float | None
    price_source: str = ""


@dataclass(frozen=True)
class Fleet:
    """What an aim takes at a site."""

    site: Site
    aim: Aim

    @property
    def instances(self) -> int:
        return math.ceil(self.aim.rate / (self.site.rate * self.aim.utilisation)) + self.aim.spare

    @property
    def replicas(self) -> int:
        """Server processes over all instances."""
        return self.instances * self.site.workers

    @property
    def usd_per_month(self) -> float | None:
        price = self.site.usd_per_hour
        return None if price is None else self.instances * price * HOURS_A_MONTH

    @property
    def usd_per_million(self) -> float | None:
        """At the aimed rate, around the clock: instances that wait are paid for too."""
        price = self.site.usd_per_hour
        return None if price is None else self.instances * price / (self.aim.rate * 3600) * 1e6

    @property
    def batch_usd_per_million(self) -> float | None:
        """The same samples in batches, on instances that do nothing else and then end."""
        price, rate = self.site.usd_per_hour, self.site.batch_rate
        return None if price is None or not rate else price / 3600 / rate * 1e6

    @property
    def batch_hours(self) -> float | None:
        """Of one instance, for what arrives at the aimed rate in a day."""
        rate = self.site.batch_rate
        return self.aim.rate * 86_400 / rate / 3600 if rate else None

    def target_tracking(self) -> dict[str, Any]:
        """Of an Auto Scaling group behind an Application Load Balancer: put-scaling-policy's
        target tracking configurations, by requests and by CPU; one of them is enough."""
        planned = self.site.rate * self.aim.utilisation
        cpu = 100 * self.aim.utilisation * min(1.0, self.site.cores_used / self.site.cores)
        return {
            "MinSize": 1 + self.aim.spare,
            "MaxSize": 2 * self.instances,
            "DesiredCapacity": self.instances,
            "ALBRequestCountPerTarget": {
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget"
                },
                "TargetValue": float(f"{planned * 60:.3g}"),
            },
            "ASGAverageCPUUtilization": {
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ASGAverageCPUUtilization"
                },
                "TargetValue": float(f"{cpu:.3g}"),
            },
        }


def sites(runs: Sequence[RunRecord], table: PriceTable | None = None) -> list[Site]:
    """Of the same variant on the same host the last; those without a highest rate are left out.

    A run that knows no price of its own takes that of the table.
    """
    found: dict[tuple[str, str, str], Site] = {}
    for run in runs:
        host = next(iter(host_names(run.host)), "unknown host")
        for record in run.records:
            sustained = record.measures.get(_SUSTAINED)
            if sustained and sustained.value:
                found[record.suite, record.variant, host] = _site(host, record, run, table)
    return list(found.values())


def by_cost(fleets: Sequence[Fleet]) -> list[Fleet]:
    """The cheapest first; those without a price last, by their number of instances."""
    return sorted(
        fleets,
        key=lambda f: (f.usd_per_month is None, f.usd_per_month or 0.0, f.instances),
    )


def _site(host: str, record: Record, run: RunRecord, table: PriceTable | None) -> Site:
    price = price_of_host(run.host, table)
    used = record.measures.get(at("cpu_usage", "Server"))
    batches = [record.measures[n] for n in _batch_measures(record)]
    return Site(
        host,
        record.suite,
        record.variant,
        record.measures[_SUSTAINED].value,
        record.settings.serving.workers if record.settings.serving else 1,
        used.value if used else 0.0,
        int(run.host.get("logical_cores") or 1),
        max((measure.value for measure in batches), default=None),
        price.usd_per_hour if price else None,
        price.source if price else "",
    )


def _batch_measures(record: Record) -> Iterator[str]:
    return (n for n in (at("throughput", "Offline"), "throughput") if n in record.measures)
