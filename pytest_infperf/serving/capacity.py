"""Number and cost of instances for a request rate, from the rate of one instance.

`variant.load("Server")` measures the highest rate under a limit on latency. An open loop such as
`rate=20` gives a lower bound of it if its limits passed. A closed loop gives none: its users send
less while the server is slow, so their rate is not one that keeps the limit at random arrivals.

The rates of several instances are assumed to add up, as they do behind a load balancer if the
instances share nothing. Results are never projected from one instance type to another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from pytest_infperf.cost.billing import price_of_host, spot_price_of_host
from pytest_infperf.cost.prices import PriceTable
from pytest_infperf.host.fingerprint import host_names
from pytest_infperf.records.catalogue import REPORTED_PERCENTILES, percentile_of
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.points import at, base_of, point_of
from pytest_infperf.records.quantity import format_value
from pytest_infperf.records.record import GateRecord, Record, RunRecord, Verdict
from pytest_infperf.serving import backlog
from pytest_infperf.serving.backlog import LatencyLimit

HOURS_A_MONTH = 730.0
Bounds = tuple[float | None, float | None]
"""Lower and upper bound; None means no bound."""
_SERVER = "Server"
_OPEN_LOOP = re.compile(r"rate=(?P<rate>[\d.]+)(?:-\d+)?")
"""Names of open loops with the payload of the task."""
_ONE_BY_ONE = ("SingleStream", "users=1")
"""Loads in which no request waits for another."""
_PERCENTILES = {
    0.0: "latency_min",
    **{percentile_of(name): name for name in REPORTED_PERCENTILES},
    1.0: "latency_max",
}
"""The measures of a load that give the distribution of its latencies, by fraction."""


@dataclass(frozen=True)
class Demand:
    """The rate to serve, and the spare capacity."""

    rate: float
    """Requests per second."""
    utilisation: float = 0.8
    """Planned fraction of an instance's highest rate; the rest is for bursts."""
    spare: int = 1
    """Additional instances, so that one can fail."""
    limit: LatencyLimit | None = None
    """Limit on latency, for the backlog at which instances are added."""


@dataclass(frozen=True)
class InstanceCapacity:
    """The measured capacity of one instance of a type, with one variant."""

    host: str
    """Instance type, or the CPU model of a host that is not an instance."""
    suite: str
    variant: str
    rate: float
    """Highest rate under the limit on latency, in requests per second, or a lower bound of it."""
    workers: int
    """Server processes on the instance."""
    cores_used: float
    """Average CPU usage at that rate, in cores."""
    cores: int
    """Logical cores of the instance."""
    batch_rate: float | None
    """Throughput in batches without waiting requests, in samples per second."""
    usd_per_hour: float | None
    """Price of the instance, in US dollars per hour; None if it is not known."""
    price_source: str = ""
    service_s: Sequence[float] = ()
    """Times of single requests without waiting, in seconds; empty if they were not measured."""
    architecture: str = "x86_64"
    rate_bounds: Bounds = (None, None)
    """Interval of the highest rate."""
    batch_bounds: Bounds = (None, None)
    """Interval of the throughput in batches."""
    samples_per_request: float = 1.0
    """Samples of a request under load."""
    spot_usd_per_hour: float | None = None
    """Price of a spot instance, in US dollars per hour; None if it is not known."""
    doubt: str = ""
    """Why the rate is in doubt; empty if it is not."""
    load: str = _SERVER
    """The load with that rate: `Server`, or an open loop whose limits passed."""

    @property
    def is_highest(self) -> bool:
        """Whether the rate is the highest one; a lower bound of it otherwise."""
        return self.load == _SERVER

    @property
    def sustained(self) -> str:
        """The rate in words, such as "20 requests/s" or "at least 20 requests/s"."""
        return f"{'' if self.is_highest else 'at least '}{format_value(self.rate, 'requests/s')}"

    @property
    def processing_s(self) -> float | None:
        """Average time of the instance for a request while all its processes are busy."""
        return fmean(self.service_s) / self.workers if self.service_s else None


@dataclass(frozen=True)
class CapacityPlan:
    """The instances of one type that a demand needs, and their cost."""

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

        The cost includes the time in which instances wait for requests.
        """
        price = self.capacity.usd_per_hour
        return None if price is None else self.instances * price / (self.demand.rate * 3600) * 1e6

    @property
    def batch_usd_per_million(self) -> float | None:
        """Cost of a million samples in batches, in US dollars, on instances that end afterwards."""
        price, rate = self.capacity.usd_per_hour, self.capacity.batch_rate
        return None if price is None or not rate else price / 3600 / rate * 1e6

    @property
    def batch_hours(self) -> float | None:
        """Time of one instance for the requests of a day, in batches, in hours."""
        rate = self.capacity.batch_rate
        return self.demand.rate * 86_400 / rate / 3600 if rate else None

    @property
    def acceptable_backlog(self) -> float | None:
        """Requests that the instance processes within the limit on latency, by AWS's method.

        None without a limit, or if the times of single requests were not measured.
        """
        limit, processing_s = self.demand.limit, self.capacity.processing_s
        return limit.seconds / processing_s if limit and processing_s else None

    @property
    def backlog_target(self) -> float | None:
        """Average number of waiting requests per instance at which the limit on latency is met.

        It is the average at the planned fraction of the highest rate that keeps the limit: of the
        measured one, or of that of the queue's model, whichever is lower. None if it is not known,
        or if the model keeps the limit at no rate.
        """
        capacity, demand = self.capacity, self.demand
        if demand.limit is None or not capacity.service_s:
            return None
        modelled = backlog.sustained_rate(capacity.service_s, demand.limit)
        rate = demand.utilisation * min(modelled, capacity.rate / capacity.workers)
        return capacity.workers * backlog.mean_waiting(capacity.service_s, rate) or None

    def target_tracking(self, deployment: Any = None) -> dict[str, Any]:
        """Return the settings of an Auto Scaling group behind an Application Load Balancer.

        They contain target tracking configurations for put-scaling-policy: by requests, by CPU
        and, if it is known, by backlog; one of them is enough. `deployment` is the value of the
        backlog's dimension, by default the suite and the variant.
        """
        capacity, utilisation = self.capacity, self.demand.utilisation
        requests_per_minute = 60 * capacity.rate * utilisation
        cpu_percent = 100 * utilisation * min(1.0, capacity.cores_used / capacity.cores)
        settings: dict[str, Any] = {
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
        if waiting := self.backlog_target:
            name = deployment or f"{capacity.suite}-{capacity.variant}"
            settings["BacklogPerInstance"] = {
                "CustomizedMetricSpecification": {
                    "MetricName": backlog.METRIC,
                    "Namespace": backlog.NAMESPACE,
                    "Dimensions": [{"Name": backlog.DIMENSION, "Value": name}],
                    "Statistic": "Average",
                },
                "TargetValue": float(f"{waiting:.3g}"),
            }
        return settings


def instance_capacities(
    runs: Sequence[RunRecord], table: PriceTable | None = None
) -> list[InstanceCapacity]:
    """Return the capacities in the records that have a highest rate or an open loop.

    An open loop counts if all its limits passed, one of them on latency, and no request failed or a
    limit on errors passed. Of several, the one with the highest rate counts. The last record of a
    variant on a host is used. Runs without a recorded price use the table's.
    """
    latest: dict[tuple[str, str, str], InstanceCapacity] = {}
    for run in runs:
        host = next(iter(host_names(run.host)), "unknown host")
        for record in run.records:
            if sustained := _sustained(record):
                latest[record.suite, record.variant, host] = _capacity(
                    host, record, run, table, *sustained
                )
    return list(latest.values())


def by_cost(plans: Sequence[CapacityPlan]) -> list[CapacityPlan]:
    """Return a sort key: the cheapest first, then those without a price by number of instances."""
    return sorted(
        plans,
        key=lambda plan: (plan.usd_per_month is None, plan.usd_per_month or 0.0, plan.instances),
    )


def _sustained(record: Record) -> tuple[str, Measure] | None:
    """Return the load that gives the rate of an instance, and that rate; None without such a load.

    The rate of an open loop has a lower bound only.
    """
    highest = record.measures.get(at("highest_rate", _SERVER))
    if highest and highest.value:
        return _SERVER, highest
    gates: dict[str, list[GateRecord]] = {}
    for gate in record.gates:
        gates.setdefault(point_of(gate.measure), []).append(gate)
    rates = {
        load: float(match["rate"])
        for load, its_gates in gates.items()
        if (match := _OPEN_LOOP.fullmatch(load))
        and _are_met(its_gates, record.measures.get(at("error_rate", load)))
    }
    if not rates:
        return None
    load = max(rates, key=rates.__getitem__)
    return load, Measure(rates[load], "requests/s", low=rates[load])


def _are_met(gates: Sequence[GateRecord], errors: Measure | None) -> bool:
    """Return whether the limits of a load passed and hold for all its requests."""
    measures = {base_of(gate.measure) for gate in gates if gate.limit.startswith("max =")}
    return (
        all(gate.verdict == Verdict.PASS for gate in gates)
        and any(measure.startswith("latency_") for measure in measures)
        and errors is not None
        and (errors.value == 0 or "error_rate" in measures)
    )


def _capacity(
    host: str,
    record: Record,
    run: RunRecord,
    table: PriceTable | None,
    load: str,
    rate: Measure,
) -> InstanceCapacity:
    price = price_of_host(run.host, table)
    cpu_usage = record.measures.get(at("cpu_usage", load))
    evidence = (record.evidence.loads or {}).get(load)
    batches = [
        record.measures[name]
        for name in (at("throughput", "Offline"), "throughput")
        if name in record.measures
    ]
    batch = max(batches, key=lambda measure: measure.value, default=None)
    return InstanceCapacity(
        host,
        record.suite,
        record.variant,
        rate.value,
        record.settings.serving.workers if record.settings.serving else 1,
        cpu_usage.value if cpu_usage else 0.0,
        int(run.host.get("logical_cores") or 1),
        batch.value if batch else None,
        price.usd_per_hour if price else None,
        price.source if price else "",
        _service_times(record),
        str(run.host.get("architecture") or "x86_64"),
        (rate.low, rate.high),
        (batch.low, batch.high) if batch else (None, None),
        _samples_per_request(record, load),
        spot_price_of_host(run.host, table),
        evidence.doubt if evidence else "",
        load,
    )


def _samples_per_request(record: Record, load: str) -> float:
    samples = record.measures.get(at("throughput", load))
    requests = record.measures.get(at("requests_per_hour", load))
    return samples.value * 3600 / requests.value if samples and requests else 1.0


def _service_times(record: Record) -> list[float]:
    """Return a hundred times of single requests, in seconds; none if they were not measured.

    They come from a load that sends one request after the other, between whose percentiles times
    are interpolated. Without such a load they are those of the worker, without HTTP.
    """
    for load in _ONE_BY_ONE:
        known = [
            (share, record.measures[name].value)
            for share, base in _PERCENTILES.items()
            if (name := at(base, load)) in record.measures
        ]
        if len(known) == len(_PERCENTILES):
            return [_interpolated(known, (i + 0.5) / 100) for i in range(100)]
    return [fmean(pair) for pair in pairwise(record.evidence.latency_percentiles_s or ())]


def _interpolated(known: Sequence[tuple[float, float]], share: float) -> float:
    (x0, y0), (x1, y1) = next(pair for pair in pairwise(known) if share <= pair[1][0])
    return y0 + (y1 - y0) * (share - x0) / (x1 - x0)
