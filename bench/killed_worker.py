"""Requests lost and answered when a server process is killed under load.

The server runs a real model in two processes. The limit on lost requests is one per connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Timer
from time import monotonic

import psutil

from bench.finding import Finding
from pytest_infperf.cli.suite_folder import one_variant
from pytest_infperf.measure.blocks import endless_order
from pytest_infperf.serving.load import generators
from pytest_infperf.serving.load.usage import sample_usage

SUITE = Path("suites/serving/translation")
VARIANT = "onnx-fused-int8"
PROCESSES = 2
"""Number of server processes (`Serving.workers`)."""
CONNECTIONS = 4
SECONDS = 12.0
"""Duration of the load, in seconds."""
KILLED_AFTER_S = 3.0
"""Time from the start of the load to the kill, in seconds."""


def findings() -> Iterator[Finding]:
    suite_run, variant = one_variant(SUITE, VARIANT, Path(".infperf_cache"))
    try:
        serving = replace(suite_run.suite.serving, workers=PROCESSES)
        server = suite_run.server.started(suite_run.server.deployment(variant, serving))
        try:
            order = endless_order(suite_run.numbers, 0)
            target = suite_run.server.target(
                server.url, server.deployment, suite_run.samples, order
            )
            killed_at_s: list[float] = []
            timer = Timer(KILLED_AFTER_S, lambda: killed_at_s.append(_kill_one(server.process)))
            with sample_usage(server.process) as sampler:
                timer.start()
                traffic = generators.streams(target, SECONDS, CONNECTIONS)
            timer.join()
        finally:
            server.close()
    finally:
        suite_run.close()
    lost = [reply for reply in traffic.replies if not reply.ok]
    yield Finding(
        "requests lost when a server process is killed",
        len(lost),
        "requests",
        limit=CONNECTIONS,
        detail=f"{len(traffic.replies)} requests over {CONNECTIONS} connections to "
        f"{PROCESSES} processes",
    )
    yield Finding(
        "requests sent and answered after the kill",
        sum(reply.ok and reply.sent_s > killed_at_s[0] for reply in traffic.replies),
        "requests",
        limit=CONNECTIONS,
        at_least=True,
        detail="the same run",
    )
    yield Finding(
        "deaths of server processes that were noticed",
        sampler.usage.died,
        "processes",
        limit=1,
        at_least=True,
        detail="the same run",
    )


def _kill_one(server: psutil.Process) -> float:
    """Kill the process with the most connections and return the monotonic time, in seconds."""
    busiest = max(server.children(), key=_connections)
    if not _connections(busiest):
        raise RuntimeError("no server process has a connection: nothing to kill under load")
    busiest.kill()
    return monotonic()


def _connections(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return sum(
            connection.status == psutil.CONN_ESTABLISHED for connection in process.net_connections()
        )
    return 0
