"""`variant.footprint()`: the size of the artifact, and the memory of the worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pytest_infperf import errors
from pytest_infperf.artifacts.models import files_of
from pytest_infperf.errors import NotForVariant
from pytest_infperf.gates.result import Result
from pytest_infperf.records.measure import Measure
from pytest_infperf.records.measured import Measured
from pytest_infperf.run.context import VariantContext, is_relative
from pytest_infperf.run.measurements.remote import of_server
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

_NAME_A_MODEL = "set the folder of its files, Function(..., model=...), or remove the limit"


def measure_footprint(context: VariantContext, batch: int) -> Result:
    """Measure the variant, and the baseline if a limit is relative to it.

    Raises
    ------
    NotForVariant
        If the variant is an endpoint without limits on these measures.
    """
    run, gates = context.suite_run, context.gates_of("footprint")
    if run.suite.variant(context.variant_id).is_remote and not gates:
        raise NotForVariant(f"{context.variant_id} is an endpoint: its footprint is not known")
    samples = run.numbers[:batch]
    measured = _footprint(run, context.variant_id, samples)
    if context.baseline_id and any(map(is_relative, gates)):
        baseline = _footprint(run, context.baseline_id, samples)
        missing = {**baseline.missing, **measured.missing}
        measured = replace(measured, baseline=baseline.measures, missing=missing)
    return context.result([measured], gates)


def _footprint(run: SuiteRun, variant_id: str, samples: list[int]) -> Measured:
    """Measure a variant after its worker has run one batch of these samples."""
    if run.suite.variant(variant_id).is_remote:
        return of_server(run, variant_id, Measured())
    worker = run.worker(variant_id)
    worker.run([samples], warm_up=False)
    fused = worker.artifact.evidence.get("fused_operators", {})
    measures = {
        "fused_operators": Measure(sum(fused.values()), ""),
        "loaded_memory": Measure(worker.loaded.memory_bytes, "bytes"),
        "peak_memory": Measure(worker.peak_memory_bytes(), "bytes"),
    }
    size = _size_bytes(run, worker)
    if size is None:
        reason = f"{variant_id} has no model files to measure: {_NAME_A_MODEL}"
        return Measured(measures, missing={"size": reason})
    return Measured({"size": Measure(size, "bytes"), **measures})


def _size_bytes(run: SuiteRun, worker: VariantWorker) -> int | None:
    """Return the size of the artifact, or of the model's files if there is no artifact.

    None if the variant has no model.
    """
    if not run.suite.variant(worker.variant_id).answers_inputs:
        return worker.artifact.size_bytes
    model = run.workers.blueprint(worker.variant_id).model
    return sum(path.stat().st_size for path in files_of(Path(model))) if model else None
