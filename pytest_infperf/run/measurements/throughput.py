"""`variant.throughput()`: samples per second over the quality set in batches, and their cost."""

from __future__ import annotations

from dataclasses import replace

from pytest_infperf import errors
from pytest_infperf.cost.per_million import cost_per_million
from pytest_infperf.gates.result import Result
from pytest_infperf.measure.throughput import throughput
from pytest_infperf.records.measured import Measured
from pytest_infperf.run.context import VariantContext, is_relative
from pytest_infperf.run.measurements.remote import of_server

__tracebackhide__ = errors.meant_for_the_user


def measure_throughput(context: VariantContext, batch: int) -> Result:
    """Measure the variant, and the baseline if a limit is relative to it."""
    gates = context.gates_of("throughput")
    measured = _with_cost(_throughput(context, context.variant_id, batch), context.usd_per_hour)
    measured = of_server(context.suite_run, context.variant_id, measured)
    if context.baseline_id and any(map(is_relative, gates)):
        baseline = _throughput(context, context.baseline_id, batch)
        measured = replace(measured, baseline=baseline.measures)
    return context.result([measured], gates, batch)


def _throughput(context: VariantContext, variant_id: str, batch: int) -> Measured:
    set_run = context.suite_run.set_run(variant_id, batch)
    return throughput(set_run, context.confidence)


def _with_cost(measured: Measured, usd_per_hour: float | None) -> Measured:
    if usd_per_hour is None:
        return measured
    cost = cost_per_million(measured.measures["throughput"], usd_per_hour)
    return replace(measured, measures={**measured.measures, "cost_per_million": cost})
