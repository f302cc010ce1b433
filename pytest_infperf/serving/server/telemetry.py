"""Prometheus metrics of a server, of all its processes together."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from prometheus_client import Metric

    from pytest_infperf.serving.server.engine import TimedAnswers

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SAMPLES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class TokenTelemetry:
    """The metrics of a model that generates texts, named like those of vLLM."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        own = CollectorRegistry()
        self.prompt = Counter("infperf_prompt_tokens_total", "Tokens of the prompts", registry=own)
        self.generation = Counter(
            "infperf_generation_tokens_total", "Tokens of the outputs", registry=own
        )
        self.first_s = Histogram(
            "infperf_time_to_first_token_seconds",
            "Time from the arrival of a request to its first token",
            buckets=_SECONDS,
            registry=own,
        )


class Telemetry:
    """The metrics of one server process, in a folder that all processes of the server share.

    prometheus_client reads that folder from the environment (`settings.METRICS_FOLDER`) when it is
    imported and when it first writes a kind of metric. It is therefore imported in the methods, and
    the variable remains set while the server runs.
    """

    def __init__(self, folder: Path) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._folder = folder
        self.tokens: TokenTelemetry | None = None
        """Metrics of tokens, of a server for a model that generates texts."""
        own = CollectorRegistry()
        self.requests = Counter(
            "infperf_requests_total", "Answered requests", ["route", "status"], registry=own
        )
        self.request_s = Histogram(
            "infperf_request_seconds",
            "Time from the start of a request to its response",
            buckets=_SECONDS,
            registry=own,
        )
        self.queued_s = Histogram(
            "infperf_queue_seconds",
            "Time that a request waited for the model",
            buckets=_SECONDS,
            registry=own,
        )
        self.model_s = Histogram(
            "infperf_model_seconds", "Time of a query in the model", buckets=_SECONDS, registry=own
        )
        self.batch = Histogram(
            "infperf_batch_samples", "Samples in a query", buckets=_SAMPLES, registry=own
        )
        self.ready = Gauge(
            "infperf_ready_workers",
            "Processes whose model is loaded",
            multiprocess_mode="livesum",
            registry=own,
        )
        self.waiting = Gauge(
            "infperf_waiting_requests",
            "Requests in the queue",
            multiprocess_mode="livesum",
            registry=own,
        )

    def observe(self, timed: TimedAnswers) -> None:
        """Count the answers to a request."""
        self.queued_s.observe(timed.queued_s)
        self.model_s.observe(timed.model_s)
        self.batch.observe(timed.batch)
        if self.tokens:
            self.tokens.first_s.observe(timed.first_token_s)
            self.tokens.prompt.inc(timed.prompt_tokens)
            self.tokens.generation.inc(timed.output_tokens)

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format.

        Counts of processes that have ended are kept; their gauges are dropped.
        """
        from prometheus_client import CollectorRegistry, generate_latest

        for path in self._folder.glob("gauge_live*_*.db"):
            if not psutil.pid_exists(int(path.stem.rpartition("_")[2])):
                path.unlink(missing_ok=True)
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics in the files of all processes, for prometheus_client.

        A file is empty while a process creates it, and remains so if the process is killed then.
        """
        from prometheus_client.multiprocess import MultiProcessCollector

        files = [str(path) for path in self._folder.glob("*.db") if _size(path)]
        metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return metrics


def _size(path: Path) -> int:
    """Return the size of a file in bytes; 0 if another process has removed it."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
