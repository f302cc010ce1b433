"""Measures that a run cannot take of an endpoint: its worker is only the client."""

from __future__ import annotations

from dataclasses import replace

from pytest_infperf.records.measured import Measured
from pytest_infperf.run.suite_run import SuiteRun

_OF_CLIENT = (
    "fused_operators", "loaded_memory", "peak_memory", "size",
    "load_time", "model_time_p50", "cpu_time", "cost_per_million",
)  # fmt: skip


def of_server(run: SuiteRun, variant_id: str, measured: Measured) -> Measured:
    """Return the measures without those that are the client's if the variant is an endpoint."""
    if not run.suite.variant(variant_id).is_remote:
        return measured
    kept = {name: value for name, value in measured.measures.items() if name not in _OF_CLIENT}
    reason = f"{variant_id} is an address, and what its server uses cannot be measured from here: "
    missing = {name: f"{reason}remove the limit on {name}" for name in _OF_CLIENT}
    return replace(measured, measures=kept, missing={**missing, **measured.missing})
