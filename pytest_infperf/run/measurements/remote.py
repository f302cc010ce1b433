"""Measures that are not available for an endpoint, because its worker is only the client."""

from __future__ import annotations

from dataclasses import replace

from pytest_infperf.records.measured import Measured
from pytest_infperf.records.points import at
from pytest_infperf.run.suite_run import SuiteRun
from pytest_infperf.suite.backend import RemoteBackend

_OF_CLIENT = (
    "fused_operators", "loaded_memory", "peak_memory", "size",
    "load_time", "model_time_p50", "cpu_time", "cost_per_million",
)  # fmt: skip


_OF_LOADED_SERVER = (
    "cpu_usage", "peak_memory", "memory_growth", "energy_per_request",
    "estimated_energy_per_request",
)  # fmt: skip


def of_server(run: SuiteRun, variant_id: str, measured: Measured, load: str = "") -> Measured:
    """Return the measures, without those of the client if the variant is an endpoint.

    `load` is the name of the load, if the measures were made under a load.
    """
    backend = run.suite.variant(variant_id)
    if not isinstance(backend, RemoteBackend):
        return measured
    names = [at(name, load) for name in _OF_LOADED_SERVER] if load else _OF_CLIENT
    kept = {name: value for name, value in measured.measures.items() if name not in names}
    reason = f"{variant_id} is an endpoint, and its server cannot be observed from this host: "
    missing = {name: f"{reason}remove the limit on {name}" for name in names}
    return replace(measured, measures=kept, missing={**missing, **measured.missing})
