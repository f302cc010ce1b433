"""The model in a server's process: a bounded queue before it, and one thread that it runs in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from pytest_infperf.serving.server.settings import Deployment
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Runner
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.payload import Answer
from pytest_infperf.suite.task import Codec


class Busy(Exception):
    """The queue is full."""


@dataclass(frozen=True)
class Answered:
    answers: Sequence[Answer]
    queued_s: float
    model_s: float
    """Of the query that it was part of."""
    batch: int
    """Samples in that query."""


@dataclass
class _Waiting:
    samples: Sequence[Any]
    since: float
    answered: asyncio.Future[Answered] = field(repr=False)


class Engine:
    """One loaded variant. `start` and what follows belong to one event loop."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._limits = deployment.limits
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(self._limits.queue)
        self._held_back: _Waiting | None = None
        self._loop: asyncio.Task[None] | None = None
        self.suite = SuiteAddress(**deployment.suite).load()
        self.codec: Codec = self.suite.task.codec(Path(deployment.model))

    @property
    def ready(self) -> bool:
        return self._loop is not None and not self._loop.done()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    async def start(self) -> None:
        """Load the model and answer one sample, in the thread that will answer all others."""
        in_thread = asyncio.get_running_loop().run_in_executor
        self._runner: Runner = await in_thread(self._thread, self._load)
        warm_up = self.suite.task.samples(self.suite.folder).inputs[:1]
        await in_thread(self._thread, self._infer, warm_up)
        self._loop = asyncio.create_task(self._serve(), name="engine")

    def _load(self) -> Runner:
        backend = naming.restore(self._deployment.backend)
        return backend.load(
            Path(self._deployment.artifact), self.suite.task, self._deployment.threads
        )

    async def stop(self) -> None:
        """Whatever was taken has been answered by then: uvicorn waits for open requests."""
        if self._loop:
            self._loop.cancel()
        self._thread.shutdown()

    async def answer(self, samples: Sequence[Any]) -> Answered:
        """Raises Busy when too many wait already."""
        waiting = _Waiting(samples, perf_counter(), asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Busy from None
        return await waiting.answered

    async def _serve(self) -> None:
        in_thread = asyncio.get_running_loop().run_in_executor
        while True:
            batch = [w for w in await self._next_batch() if not w.answered.done()]
            if not batch:
                continue
            samples = [sample for waiting in batch for sample in waiting.samples]
            begun = perf_counter()
            try:
                answers = await in_thread(self._thread, partial(self._infer, samples))
            except Exception as error:
                for waiting in batch:
                    if not waiting.answered.done():
                        waiting.answered.set_exception(error)
                continue
            model_s, position = perf_counter() - begun, 0
            for waiting in batch:
                its = answers[position : position + len(waiting.samples)]
                position += len(waiting.samples)
                if not waiting.answered.done():
                    queued_s = begun - waiting.since
                    waiting.answered.set_result(Answered(its, queued_s, model_s, len(samples)))

    async def _next_batch(self) -> list[_Waiting]:
        """Requests in their order, as long as their samples fit into one query together.

        A request of more samples than a batch has is a query of its own.
        """
        first = self._held_back or await self._queue.get()
        self._held_back = None
        batch, size = [first], len(first.samples)
        until = first.since + self._limits.batch_window_ms / 1000
        while size < self._limits.batch:
            try:
                following = self._queue.get_nowait()
            except asyncio.QueueEmpty:
                left_s = until - perf_counter()
                if left_s <= 0:
                    break
                try:
                    following = await asyncio.wait_for(self._queue.get(), left_s)
                except TimeoutError:
                    break
            if following.answered.done():  # its client has left, or its time is over
                continue
            if size + len(following.samples) > self._limits.batch:
                self._held_back = following
                break
            batch.append(following)
            size += len(following.samples)
        return batch

    def _infer(self, samples: Sequence[Any]) -> list[Answer]:
        features = self.codec.encode(samples)
        results = self._runner.infer(features)
        outputs = self.codec.decode(results, features)
        if len(outputs) != len(samples):
            raise ValueError(f"{len(outputs)} outputs of {len(samples)} samples")
        if not (probabilities := getattr(self.codec, "probabilities", None)):
            return [Answer(output) for output in outputs]
        return [
            Answer(output, its) for output, its in zip(outputs, probabilities(results), strict=True)
        ]


def place(deployment: Deployment) -> None:
    """Enter the control groups and take the cores, before anything is loaded."""
    for group in deployment.groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    if deployment.cpus is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, deployment.cpus)
