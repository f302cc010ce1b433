"""`variant.sweep()`: latency and throughput at each value of a parameter, and the growth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from fnmatch import fnmatchcase

from pytest_infperf import errors
from pytest_infperf.errors import NotForVariant
from pytest_infperf.gates.result import Result, is_decided
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.measure.sweep import SweepPoint, measure_sweep as measure_points
from pytest_infperf.records.points import base_of
from pytest_infperf.run.context import VariantContext
from pytest_infperf.suite.suite import Sweep

__tracebackhide__ = errors.meant_for_the_user


def measure_sweep(context: VariantContext, parameter: str) -> Result:
    """Measure all values interleaved until every gate is decided or the budget is spent.

    Raises
    ------
    NotForVariant
        If the sweep is for other variants.
    UserError
        If the suite has no sweep of this parameter.
    """
    run, sweep = context.suite_run, context.suite_run.suite.sweep(parameter)
    if not fnmatchcase(context.variant_id, sweep.variants):
        raise NotForVariant(f"the sweep of {parameter} is for the variants {sweep.variants}")
    if sweep.parameter == "threads" and run.suite.variant(context.variant_id).is_remote:
        raise NotForVariant(f"{context.variant_id} is an endpoint: its threads cannot be set")
    gates = context.gates_of("sweep", *sweep.points, parameter)
    context.report_progress(f"sweeping {parameter}")
    with _points(context, sweep) as points:
        parts = measure_points(
            points,
            endless_order(run.numbers, context.seed + 3),
            percentiles=[base_of(gate.measure) for gate in gates if gate.spec.percentile],
            budget_s=context.budget_s,
            confidence=context.confidence,
            seed=context.seed,
            decided=lambda parts: is_decided(parts, gates),
        )
    return context.result(parts, gates)


@contextmanager
def _points(context: VariantContext, sweep: Sweep) -> Iterator[list[SweepPoint]]:
    """Yield the points with their workers; in a sweep of threads, each has its own worker."""
    run, variant_id = context.suite_run, context.variant_id
    if sweep.parameter != "threads":
        worker = run.worker(variant_id)
        yield [SweepPoint(sweep, value, worker) for value in sweep.values]
        return
    with ExitStack() as workers:
        yield [
            SweepPoint(
                sweep,
                value,
                workers.enter_context(closing(run.workers.started(variant_id, value))),
            )
            for value in sweep.values
        ]
