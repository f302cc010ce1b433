"""Records of plain pytest-benchmark tests, so that a project without suites has a history too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from scipy import special

from pytest_infperf.records.measure import Measure
from pytest_infperf.records.record import Record
from pytest_infperf.stats import quantile

_CONFIDENCE = 0.99
_SUITE = "benchmarks"
"""Name of the suite of benchmarks without a group."""


def record_of(benchmark: Mapping[str, Any]) -> Record:
    """Return the record of a benchmark: its group is the suite, and its test the variant.

    The mean has the interval of its rounds, and the median one if the times were saved
    (--benchmark-save-data). Raises KeyError, TypeError or ValueError if it is not a benchmark.
    """
    stats = benchmark["stats"]
    rounds, mean = int(stats["rounds"]), float(stats["mean"])
    times = [float(time) for time in stats.get("data") or ()]
    low, high = (
        quantile.order_statistic_interval(times, 0.5, _CONFIDENCE) if times else (None, None)
    )
    mean_low, mean_high = _mean_interval(mean, float(stats["stddev"]), rounds)
    measures = {
        "latency_min": Measure(float(stats["min"]), "s", n=rounds),
        "latency_p50": Measure(float(stats["median"]), "s", low, high, rounds),
        "latency_mean": Measure(mean, "s", mean_low, mean_high, rounds),
    }
    return Record(str(benchmark.get("group") or _SUITE), str(benchmark["fullname"]), measures)


def host_of(machine_info: Mapping[str, Any]) -> dict[str, Any]:
    """Return pytest-benchmark's facts about a machine, under the names of our fingerprint."""
    cpu = machine_info.get("cpu") or {}
    return {
        "architecture": machine_info.get("machine") or None,
        "cpu_model": cpu.get("brand_raw") or cpu.get("brand") or machine_info.get("processor"),
        "cpu_vendor": cpu.get("vendor_id_raw") or cpu.get("vendor_id"),
        "logical_cores": cpu.get("count"),
        "kernel": machine_info.get("release") or None,
        "os": machine_info.get("system") or None,
        "python": machine_info.get("python_version"),
    }


def records_of(benchmarks: Sequence[Mapping[str, Any]]) -> list[Record]:
    """Return the records of benchmarks that have times."""
    return [record_of(benchmark) for benchmark in benchmarks if benchmark.get("stats")]


def _mean_interval(mean: float, deviation: float, rounds: int) -> tuple[float | None, float | None]:
    if rounds < 2:
        return None, None
    half = float(special.stdtrit(rounds - 1, (1 + _CONFIDENCE) / 2)) * deviation / sqrt(rounds)
    return mean - half, mean + half
