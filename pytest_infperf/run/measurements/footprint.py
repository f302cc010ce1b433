"""`variant.footprint()`: the size of the artifact, and the memory of the worker."""

from __future__ import annotations

from dataclasses import replace

from pytest_infperf import errors
from pytest_infperf.gates.result import Result
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.run.context import VariantContext, is_relative
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user


def measure_footprint(context: VariantContext, batch: int) -> Result:
    """Measure the variant, and also the baseline if a limit is relative to it."""
    run, gates = context.suite_run, context.gates_of("footprint")
    samples = run.numbers[:batch]
    measured = _footprint(context.worker, samples)
    if context.baseline_id and any(map(is_relative, gates)):
        baseline = _footprint(run.worker(context.baseline_id), samples)
        measured = replace(measured, baseline=baseline.measures)
    return context.result([measured], gates)


def _footprint(worker: VariantWorker, samples: list[int]) -> Measured:
    """Measure a worker after it has run one batch of these samples."""
    worker.run([samples], warm_up=False)
    fused = worker.artifact.evidence.get("fused_operators", {})
    return Measured(
        {
            "size": Measure(worker.artifact.size_bytes, "bytes"),
            "fused_operators": Measure(sum(fused.values()), ""),
            "loaded_memory": Measure(worker.loaded.memory_bytes, "bytes"),
            "peak_memory": Measure(worker.peak_memory_bytes(), "bytes"),
        }
    )
