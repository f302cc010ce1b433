"""What a server counts: Prometheus metrics of all its workers together.

prometheus_client reads `settings.METRICS_FOLDER` when it is imported: that is set before.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from pytest_infperf.serving.server.settings import METRICS_FOLDER

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("infperf_requests_total", "Answered requests", ["route", "status"])
REQUEST_S = Histogram(
    "infperf_request_seconds", "From the request's start to its answer", buckets=_SECONDS
)
QUEUED_S = Histogram("infperf_queue_seconds", "Waiting for the model", buckets=_SECONDS)
MODEL_S = Histogram("infperf_model_seconds", "In the model, a query", buckets=_SECONDS)
BATCH = Histogram(
    "infperf_batch_samples", "Samples a query", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
READY = Gauge("infperf_ready_workers", "Whose model is loaded", multiprocess_mode="livesum")
WAITING = Gauge("infperf_waiting_requests", "In the queue", multiprocess_mode="livesum")


def exposition() -> bytes:
    """In Prometheus' text format, of all workers together, also of those that have died."""
    folder = Path(os.environ[METRICS_FOLDER])
    for path in folder.glob("gauge_live*_*.db"):
        if not psutil.pid_exists(int(path.stem.rpartition("_")[2])):
            path.unlink(missing_ok=True)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)
