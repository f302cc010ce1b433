"""The model in a server process: a bounded queue of requests, and one thread that runs the model.

Waiting requests can be combined into one query, up to the batch size of the suite.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from pytest_infperf.host import cpu
from pytest_infperf.serving.server.settings import Deployment
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Runner
from pytest_infperf.suite.codec import Codec
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.payload import Answer
from pytest_infperf.suite.task import Decoding

_EXAMPLES = 3
"""Number of inputs that the page shows as examples."""


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


@dataclass(eq=False)
class _PendingRequest:
    samples: Sequence[Any]
    arrived_s: float
    result: asyncio.Future[TimedAnswers] = field(repr=False)

    @property
    def is_done(self) -> bool:
        """Whether the answer is not needed: the client has left, or the time limit is over."""
        return self.result.done()


class Seat:
    """A place in the queue for a request that has arrived but does not wait for the model yet."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_taken = True
        engine.arriving += 1

    def leave(self) -> None:
        """Release the place, if it is not released yet."""
        if self._is_taken:
            self._is_taken = False
            self._engine.arriving -= 1


class Engine:
    """One loaded variant. `start` and all later calls must use the same event loop."""

    arriving = 0
    """Number of requests with a seat that do not wait for the model yet."""
    leaving = False
    """Whether the server is about to end and should receive no more requests."""
    examples: Sequence[Any] = ()
    """The first inputs of the suite's data, once the model is loaded."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._limits = deployment.limits
        self._queue: deque[_PendingRequest] = deque()
        self._changed = threading.Condition()
        self._has_stopped = False
        self._is_loaded = False
        self.suite = SuiteAddress(**deployment.suite).load()
        self._backend = naming.restore(deployment.backend)
        self.codec: Codec = self.suite.codec_of(self._backend, deployment.model, self.suite.folder)

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and requests are accepted."""
        return self._is_loaded and self._thread.is_alive() and not self.leaving

    @property
    def waiting(self) -> int:
        """Number of requests whose query has not begun."""
        return self.arriving + len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether the queue is full."""
        return self.waiting >= self._limits.queue

    @property
    def decoding(self) -> Decoding:
        """The decoding settings in use, once the model is loaded."""
        return self._runner.decoding

    def seat(self) -> Seat | None:
        """Return a place in the queue, or None if it is full."""
        return None if self.is_full else Seat(self)

    async def start(self) -> None:
        """Load the model and warm it up with one sample, in the thread that runs all queries."""
        loop = asyncio.get_running_loop()
        loaded: asyncio.Future[None] = loop.create_future()
        # A process that receives a second signal to end does not wait for this thread.
        self._thread = threading.Thread(
            target=self._run, args=(loop, loaded), name="model", daemon=True
        )
        self._thread.start()
        await loaded
        self._is_loaded = True

    def _run(self, loop: asyncio.AbstractEventLoop, loaded: asyncio.Future[None]) -> None:
        try:
            self._runner: Runner = self._load()
            self.examples = self.suite.task.samples(self.suite.folder).inputs[:_EXAMPLES]
            self._infer(self.examples[:1])
        except BaseException as error:
            loop.call_soon_threadsafe(loaded.set_exception, error)
            return
        loop.call_soon_threadsafe(loaded.set_result, None)
        self._serve(loop)

    def _load(self) -> Runner:
        deployment = self._deployment
        return self.suite.loaded(
            self._backend, deployment.model, deployment.artifact, deployment.threads
        )

    async def stop(self) -> None:
        """Stop the engine. No request is open, because uvicorn waits for them before it ends."""
        with self._changed:
            self._has_stopped = True
            self._changed.notify()
        self._thread.join()

    async def answer(self, samples: Sequence[Any], seat: Seat) -> TimedAnswers:
        """Return the answers to the samples of the request with the seat."""
        result: asyncio.Future[TimedAnswers] = asyncio.get_running_loop().create_future()
        request = _PendingRequest(samples, perf_counter(), result)
        with self._changed:
            self._queue.append(request)
            self._changed.notify()
        seat.leave()
        try:
            return await result
        finally:
            if result.cancelled():  # the client has left, or the time limit is over
                with self._changed, suppress(ValueError):
                    self._queue.remove(request)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run one query after the other, in the model's thread."""
        while taken := self._next_batch():
            # A request may have been cancelled while the batch waited for others.
            if not (batch := [request for request in taken if not request.is_done]):
                continue
            samples = [sample for request in batch for sample in request.samples]
            start_s = perf_counter()
            try:
                answers: Sequence[Answer] | Exception = self._infer(samples)
            except Exception as error:
                answers = error
            model_s = perf_counter() - start_s
            loop.call_soon_threadsafe(_deliver, batch, answers, start_s, model_s)

    def _next_batch(self) -> list[_PendingRequest]:
        """Return waiting requests in their order, as many as fit into one query.

        A request with more samples than a batch is a query of its own. The list is empty when the
        engine has stopped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._has_stopped)
            if self._has_stopped:
                return []
            first = self._queue.popleft()
            batch, size = [first], len(first.samples)
            deadline_s = first.arrived_s + self._limits.batch_window_ms / 1000
            while size < self._limits.batch:
                if self._queue:
                    if size + len(self._queue[0].samples) > self._limits.batch:
                        break
                    batch.append(request := self._queue.popleft())
                    size += len(request.samples)
                elif (left_s := deadline_s - perf_counter()) <= 0 or self._has_stopped:
                    break
                else:
                    self._changed.wait(left_s)
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


def _deliver(
    batch: Sequence[_PendingRequest],
    answers: Sequence[Answer] | Exception,
    start_s: float,
    model_s: float,
) -> None:
    """Return the answers to each request of a query, in the event loop."""
    size = sum(len(request.samples) for request in batch)
    remaining = iter(() if isinstance(answers, Exception) else answers)
    for request in batch:
        own_answers = list(islice(remaining, len(request.samples)))
        if request.is_done:
            continue
        if isinstance(answers, Exception):
            request.result.set_exception(answers)
        else:
            queued_s = start_s - request.arrived_s
            request.result.set_result(TimedAnswers(own_answers, queued_s, model_s, size))


def place_process(deployment: Deployment) -> None:
    """Move this process into the deployment's control groups and onto its cores.

    It is called before anything is loaded, so that all memory and all threads are limited. Raises
    UserError if the process may not use one of the cores.
    """
    for group in deployment.groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    if deployment.cpus is not None:
        cpu.pin(deployment.cpus)
