"""A worker of a server of a real model is killed under load: what is lost, and what goes on."""

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
WORKERS = 2
CONNECTIONS = 4
SECONDS = 12.0
KILLED_AFTER_S = 3.0


def findings() -> Iterator[Finding]:
    suite_run, variant = one_variant(SUITE, VARIANT, Path(".infperf_cache"))
    try:
        serving = replace(suite_run.suite.serving, workers=WORKERS)
        server = suite_run.server.started(suite_run.server.deployment(variant, serving))
        try:
            order = endless_order(suite_run.numbers, 0)
            target = suite_run.server.target(server, suite_run.samples, order)
            killed_s: list[float] = []
            timer = Timer(KILLED_AFTER_S, lambda: killed_s.append(_kill_one(server.process)))
            with sample_usage(server.process) as sampler:
                timer.start()
                traffic = generators.streams(target, SECONDS, CONNECTIONS)
            timer.join()
        finally:
            server.close()
    finally:
        suite_run.close()
    lost = [reply for reply in traffic.replies if not reply.ok]
    how = f"{len(traffic.replies)} requests over {CONNECTIONS} connections to {WORKERS} workers"
    yield Finding("requests lost to a worker that was killed", len(lost), "", CONNECTIONS, how=how)
    after = sum(reply.ok and reply.sent_s > killed_s[0] for reply in traffic.replies)
    least = CONNECTIONS
    yield Finding("answered after it", after, "requests", least, at_least=True, how="the same run")
    died = sampler.usage.died
    yield Finding("workers that died, as seen", died, "", 1, at_least=True, how="the same run")


def _kill_one(server: psutil.Process) -> float:
    """Of those that have connections, the one with the most; when it was killed."""
    busiest = max(server.children(), key=_connections)
    if not _connections(busiest):
        raise RuntimeError("no worker was under load")
    busiest.kill()
    return monotonic()


def _connections(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return sum(c.status == psutil.CONN_ESTABLISHED for c in process.net_connections())
    return 0
