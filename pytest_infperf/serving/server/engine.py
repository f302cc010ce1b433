"""The model in a server process: a bounded queue of requests, and one thread that runs the model.

Requests that wait may be put into one query, up to the batch size that the suite allows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from pytest_infperf.host import cpu
from pytest_infperf.serving.server.settings import Deployment
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Runner
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.payload import Answer
from pytest_infperf.suite.task import Codec


class QueueFull(Exception):
    """As many requests wait as the queue holds."""


@dataclass(frozen=True)
class TimedAnswers:
    """The answers to one request, with the times of the query that it was part of."""

    answers: Sequence[Answer]
    """One answer for each sample, in their order."""
    queued_s: float
    """Time from the request's arrival to the start of the query, in seconds."""
    model_s: float
    """Time of the query, in seconds."""
    batch: int
    """Samples in the query."""


@dataclass
class _PendingRequest:
    samples: Sequence[Any]
    arrived_s: float
    result: asyncio.Future[TimedAnswers] = field(repr=False)

    @property
    def is_done(self) -> bool:
        """Whether nobody waits for an answer: the client has left, or the time limit is over."""
        return self.result.done()


class Engine:
    """One loaded variant. `start` and all later calls belong to one event loop."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._limits = deployment.limits
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._queue: asyncio.Queue[_PendingRequest] = asyncio.Queue(self._limits.queue)
        self._held_back: _PendingRequest | None = None
        self._loop: asyncio.Task[None] | None = None
        self.suite = SuiteAddress(**deployment.suite).load()
        self._backend = naming.restore(deployment.backend)
        self.codec: Codec = self.suite.codec_of(self._backend, deployment.model, self.suite.folder)

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and requests are taken."""
        return self._loop is not None and not self._loop.done()

    @property
    def waiting(self) -> int:
        """Number of requests in the queue."""
        return self._queue.qsize()

    async def start(self) -> None:
        """Load the model and warm it up with one sample, in the thread that runs all queries."""
        in_thread = asyncio.get_running_loop().run_in_executor
        self._runner: Runner = await in_thread(self._thread, self._load)
        warm_up = self.suite.task.samples(self.suite.folder).inputs[:1]
        await in_thread(self._thread, self._infer, warm_up)
        self._loop = asyncio.create_task(self._serve(), name="engine")

    def _load(self) -> Runner:
        deployment = self._deployment
        return self.suite.loaded(
            self._backend, deployment.model, deployment.artifact, deployment.threads
        )

    async def stop(self) -> None:
        """Stop the engine. No request is open: uvicorn waits for them before it ends the app."""
        if self._loop:
            self._loop.cancel()
        self._thread.shutdown()

    async def answer(self, samples: Sequence[Any]) -> TimedAnswers:
        """Return the answers to the samples of one request.

        Raises QueueFull if too many requests wait already.
        """
        result: asyncio.Future[TimedAnswers] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(_PendingRequest(samples, perf_counter(), result))
        except asyncio.QueueFull:
            raise QueueFull from None
        return await result

    async def _serve(self) -> None:
        while True:
            if batch := [request for request in await self._next_batch() if not request.is_done]:
                await self._run_query(batch)

    async def _run_query(self, batch: Sequence[_PendingRequest]) -> None:
        """Run the samples of all requests as one query, and give each request its answers."""
        samples = [sample for request in batch for sample in request.samples]
        start_s = perf_counter()
        try:
            in_thread = asyncio.get_running_loop().run_in_executor
            answers = await in_thread(self._thread, self._infer, samples)
        except Exception as error:
            for request in batch:
                if not request.is_done:
                    request.result.set_exception(error)
            return
        model_s, remaining = perf_counter() - start_s, iter(answers)
        for request in batch:
            own_answers = [next(remaining) for _ in request.samples]
            if not request.is_done:
                queued_s = start_s - request.arrived_s
                request.result.set_result(
                    TimedAnswers(own_answers, queued_s, model_s, len(samples))
                )

    async def _next_batch(self) -> list[_PendingRequest]:
        """Return waiting requests in their order, up to the samples that fit into one query.

        A request with more samples than a batch holds is a query of its own.
        """
        first = self._held_back or await self._queue.get()
        self._held_back = None
        batch, size = [first], len(first.samples)
        deadline_s = first.arrived_s + self._limits.batch_window_ms / 1000
        while size < self._limits.batch:
            try:
                request = self._queue.get_nowait()
            except asyncio.QueueEmpty:
                left_s = deadline_s - perf_counter()
                if left_s <= 0:
                    break
                try:
                    request = await asyncio.wait_for(self._queue.get(), left_s)
                except TimeoutError:
                    break
            if request.is_done:
                continue
            if size + len(request.samples) > self._limits.batch:
                self._held_back = request
                break
            batch.append(request)
            size += len(request.samples)
        return batch

    def _infer(self, samples: Sequence[Any]) -> list[Answer]:
        features = self.codec.encode(samples)
        results = self._runner.infer(features)
        outputs = self.codec.decode(results, features)
        if len(outputs) != len(samples):
            raise ValueError(f"the codec decoded {len(outputs)} outputs of {len(samples)} samples")
        if not (probabilities := getattr(self.codec, "probabilities", None)):
            return [Answer(output) for output in outputs]
        return [
            Answer(output, by_label)
            for output, by_label in zip(outputs, probabilities(results), strict=True)
        ]


def place_process(deployment: Deployment) -> None:
    """Move this process into the deployment's control groups and onto its cores.

    This comes before anything is loaded, so that all memory and all threads are limited. Raises
    UserError if the process may not use one of the cores.
    """
    for group in deployment.groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    if deployment.cpus is not None:
        cpu.pin(deployment.cpus)
