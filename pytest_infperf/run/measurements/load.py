"""`variant.load()`: a server of the variant under one of the suite's loads."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from pytest_infperf import errors
from pytest_infperf.gates.result import Result, is_undecided
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.records.catalogue import TOKEN_TIMES, times_of
from pytest_infperf.records.evidence import ServerSettings
from pytest_infperf.records.points import at, base_of
from pytest_infperf.run.context import VariantContext
from pytest_infperf.run.measurements.remote import of_server
from pytest_infperf.serving.load.driver import LoadDriver
from pytest_infperf.serving.load.measure import LoadTest
from pytest_infperf.suite.backend import RemoteBackend
from pytest_infperf.thresholds.gate import Gate

__tracebackhide__ = errors.meant_for_the_user


def measure_load(context: VariantContext, name: str) -> Result:
    """Load a server of the variant for `seconds`, or for `full_seconds` with --infperf-full.

    Raises
    ------
    UserError
        If the suite has no load with that name.
    WorkerError
        If the server ends during the load: the answers until then are not representative.
    """
    run, load = context.suite_run, context.suite_run.suite.load(name)
    gates = context.gates_of("load", load.name)
    order = endless_order(run.numbers, context.seed + 5)
    highest_rate = context.record.measures.get(at("highest_rate", load.with_payload("Server")))
    requests = run.samples, order, load.samples, load.payload
    server, backend = None, run.suite.variant(context.variant_id)
    if isinstance(backend, RemoteBackend):
        target = run.server.remote_target(backend, *requests)
        usd_per_hour = backend.usd_per_hour
    else:
        context.report_progress(f"starting a server for {name}")
        server = run.server.running(context.variant_id)
        target = run.server.target(server.url, server.deployment, *requests)
        usd_per_hour = context.usd_per_hour
    driver = LoadDriver(
        target,
        server.process if server else None,
        context.seed,
        report_progress=lambda text: context.report_progress(f"under load {name} {text}".rstrip()),
    )
    load_test = LoadTest(
        driver,
        context.confidence,
        [share for gate in gates if (share := _share_within(gate)) is not None],
        context.budget_s,
        usd_per_hour,
        highest_rate.value if highest_rate else None,
        [gate.limit.value for gate in gates if base_of(gate.measure) == "highest_rate"],
        [base_of(gate.measure) for gate in gates if _is_percentile_of_tokens(gate)],
        partial(is_undecided, gates) if gates else None,
    )
    with server.checked() if server else nullcontext():
        result = load_test.measure(load, load.lasts_s(run.settings.full))
    cores, record = run.server.cores, context.record
    if server:
        record.settings.serving = ServerSettings(
            **run.server.limits(server.deployment),
            threads=server.deployment.threads,
            server_cpus=list(cores.server),
            generator_cpus=list(cores.generator),
        )
    evidence = replace(
        result.evidence,
        samples_left_out=len(target.refused),
        left_out_why=next(iter(target.refused.values()), ""),
    )
    record.evidence.loads = {**(record.evidence.loads or {}), name: evidence}
    return context.result([of_server(run, context.variant_id, result.measured, load.name)], gates)


def _share_within(gate: Gate) -> float | None:
    """Return the fraction of requests that must be fast enough or succeed according to a limit.

    None if the limit is on another measure, or if no request may fail.
    """
    if base_of(gate.measure) == "error_rate" and 0 < gate.limit.value < 1:
        return 1 - gate.limit.value
    return gate.spec.percentile


def _is_percentile_of_tokens(gate: Gate) -> bool:
    return gate.spec.percentile is not None and times_of(base_of(gate.measure)) in TOKEN_TIMES
