"""The model in a server process: a bounded queue of requests, and one thread that runs the model.

Waiting requests can be combined into one query, up to the batch size of the suite. A request for a
stream, or for fewer tokens than others, is a query of its own.
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
from pytest_infperf.serving.server.generation import Generation
from pytest_infperf.serving.server.inference import Inference, UnreadableSample
from pytest_infperf.serving.server.settings import Deployment
from pytest_infperf.suite import naming
from pytest_infperf.suite.codec import Codec, WritingCodec
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.payload import Answer
from pytest_infperf.suite.runner import can_stream
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
    first_token_s: float
    """Time from the request's arrival to the first token, in seconds; to the end of the query if
    the runner returns whole outputs."""

    @property
    def prompt_tokens(self) -> int:
        """Number of tokens of the prompts; 0 if the model does not generate texts."""
        return sum(getattr(answer, "prompt_tokens", 0) for answer in self.answers)

    @property
    def output_tokens(self) -> int:
        """Number of tokens of the outputs; 0 if the model does not generate texts."""
        return sum(getattr(answer, "output_tokens", 0) for answer in self.answers)


@dataclass(eq=False)
class PendingRequest:
    """A request that waits for the model, or whose query runs."""

    samples: Sequence[Any]
    result: asyncio.Future[TimedAnswers] = field(repr=False)
    limit: int | None = None
    """Maximum number of output tokens, if it is lower than that of the suite."""
    pieces: asyncio.Queue[str | None] | None = None
    """Gets the text of the output while it is generated, and None at the end."""
    arrived_s: float = field(default_factory=perf_counter)

    @property
    def is_done(self) -> bool:
        """Whether the answer is not needed: the client has left, or the time limit is over."""
        return self.result.done()

    @property
    def is_alone(self) -> bool:
        """Whether the request is a query of its own."""
        return self.limit is not None or self.pieces is not None


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
        self._queue: deque[PendingRequest] = deque()
        self._changed = threading.Condition()
        self._has_stopped = False
        self._is_loaded = False
        self.suite = SuiteAddress(**deployment.suite).load()
        self._backend = naming.restore(deployment.backend)
        self.codec: Codec = self.suite.codec_of(self._backend, deployment.model, self.suite.folder)
        self.writing: WritingCodec | None = None
        """The codec, if outputs are generated texts that can be streamed."""
        if isinstance(self.codec, WritingCodec):
            self.writing = self.codec

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
        return self._model.runner.decoding

    @property
    def can_stream(self) -> bool:
        """Whether tokens are delivered while they are generated, once the model is loaded."""
        return can_stream(self._model.runner)

    def seat(self) -> Seat | None:
        """Return a place in the queue, or None if it is full."""
        return None if self.is_full else Seat(self)

    async def start(self) -> None:
        """Load the model and warm it up with one sample, in the thread that runs all queries."""
        self._loop = asyncio.get_running_loop()
        loaded: asyncio.Future[None] = self._loop.create_future()
        # A process that receives a second signal to end does not wait for this thread.
        self._thread = threading.Thread(target=self._run, args=(loaded,), name="model", daemon=True)
        self._thread.start()
        await loaded
        self._is_loaded = True

    def _run(self, loaded: asyncio.Future[None]) -> None:
        try:
            self._model = self._load()
            self.examples = self.suite.task.samples(self.suite.folder).inputs[:_EXAMPLES]
            self._model.answers(self.examples[:1])
        except BaseException as error:
            self._loop.call_soon_threadsafe(loaded.set_exception, error)
            return
        self._loop.call_soon_threadsafe(loaded.set_result, None)
        self._serve()

    def _load(self) -> Inference:
        deployment = self._deployment
        runner = self.suite.loaded(
            self._backend, deployment.model, deployment.artifact, deployment.threads
        )
        return Inference(self.codec, runner)

    async def stop(self) -> None:
        """Stop the engine. No request is open, because uvicorn waits for them before it ends."""
        with self._changed:
            self._has_stopped = True
            self._changed.notify()
        self._thread.join()

    async def answer(
        self, samples: Sequence[Any], seat: Seat, limit: int | None = None
    ) -> TimedAnswers:
        """Return the answers to the samples of the request with the seat.

        A `limit` on the number of output tokens requires `can_stream` and one sample.
        """
        request = PendingRequest(samples, asyncio.get_running_loop().create_future(), limit)
        self._enqueue(request, seat)
        try:
            return await request.result
        finally:
            self.withdraw(request)

    def stream(self, sample: Any, seat: Seat, limit: int | None = None) -> PendingRequest:
        """Return the request for one output, whose text arrives in `pieces`.

        The caller must call `withdraw` if it does not wait for the end.
        """
        result = asyncio.get_running_loop().create_future()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        result.add_done_callback(lambda _: pieces.put_nowait(None))
        request = PendingRequest([sample], result, limit, pieces)
        self._enqueue(request, seat)
        return request

    def _enqueue(self, request: PendingRequest, seat: Seat) -> None:
        with self._changed:
            self._queue.append(request)
            self._changed.notify()
        seat.leave()

    def withdraw(self, request: PendingRequest) -> None:
        """Drop a request without an answer: the client has left, or the time limit is over."""
        request.result.cancel()
        if request.result.cancelled():
            with self._changed, suppress(ValueError):
                self._queue.remove(request)

    def _serve(self) -> None:
        """Run one query after the other, in the model's thread."""
        while taken := self._next_batch():
            # A request may have been cancelled while the batch waited for others.
            if batch := [request for request in taken if not request.is_done]:
                self._run_query(batch)

    def _run_query(self, batch: Sequence[PendingRequest]) -> None:
        samples = [sample for request in batch for sample in request.samples]
        answers: Sequence[Answer] | Exception
        generation = None
        start_s = perf_counter()
        try:
            if self.writing and len(samples) == 1:
                generation = self._generation(self.writing, batch[0])
                answers = self._model.generate(samples[0], generation)
            else:
                answers = self._model.answers(samples)
        except Exception as error:
            if isinstance(error, UnreadableSample) and len(batch) > 1:
                for request in batch:  # the sample of one must not fail the others
                    self._run_query([request])
                return
            answers = error
        first_token_s = generation.first_token_s if generation else None
        self._loop.call_soon_threadsafe(
            _deliver, batch, answers, start_s, perf_counter(), first_token_s
        )

    def _generation(self, codec: WritingCodec, request: PendingRequest) -> Generation:
        def deliver(text: str) -> None:
            if request.pieces is not None:
                self._loop.call_soon_threadsafe(request.pieces.put_nowait, text)

        writer = codec.writer() if request.is_alone else None
        return Generation(writer, request.limit, lambda: not request.is_done, deliver)

    def _next_batch(self) -> list[PendingRequest]:
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
            while size < self._limits.batch and not first.is_alone:
                if self._queue:
                    following = self._queue[0]
                    if following.is_alone or size + len(following.samples) > self._limits.batch:
                        break
                    batch.append(self._queue.popleft())
                    size += len(following.samples)
                elif (left_s := deadline_s - perf_counter()) <= 0 or self._has_stopped:
                    break
                else:
                    self._changed.wait(left_s)
            return batch


def _deliver(
    batch: Sequence[PendingRequest],
    answers: Sequence[Answer] | Exception,
    start_s: float,
    end_s: float,
    first_token_s: float | None,
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
            request.result.set_result(
                TimedAnswers(
                    own_answers,
                    queued_s=start_s - request.arrived_s,
                    model_s=end_s - start_s,
                    batch=size,
                    first_token_s=(first_token_s or end_s) - request.arrived_s,
                )
            )


def place_process(deployment: Deployment) -> None:
    """Move this process into the deployment's control groups and onto its cores.

    It is called before anything is loaded, so that all memory and all threads are limited. Raises
    UserError if the process may not use one of the cores.
    """
    for group in deployment.groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    if deployment.cpus is not None:
        cpu.pin(deployment.cpus)
