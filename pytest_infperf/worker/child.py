"""The worker's side of the pipes: load one variant, run blocks, and measure the time of queries.

A worker only measures. Limits, intervals and reports belong to the run.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Sequence, Sized
from functools import cached_property, partial
from math import inf
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Any, BinaryIO, NamedTuple

from pytest_infperf.errors import UserError
from pytest_infperf.host import cpu
from pytest_infperf.host.environment import refuse_observers
from pytest_infperf.host.processes import die_with_parent
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Material
from pytest_infperf.suite.call import address_of
from pytest_infperf.suite.codec import Codec, TokenIdCodec
from pytest_infperf.suite.outputs import json_problem
from pytest_infperf.suite.perplexity import Window
from pytest_infperf.suite.runner import Runner, ScoringRunner, can_stream
from pytest_infperf.worker import clocks, messages, text_scoring
from pytest_infperf.worker.surveying import survey


class LoadedVariant:
    """A variant that is loaded and ready for queries, with the suite's samples."""

    def __init__(self, load: messages.LoadArtifact) -> None:
        if load.cpus is not None:
            cpu.pin(load.cpus)
        suite = address_of(load.suite).load()
        backend = naming.restore(load.backend).within(load.timeout_s)
        self._task = suite.task
        self._data = Path(load.data)
        self._samples = suite.task.samples(self._data)
        self._warm_up_input = _shortest_input(self._samples.inputs)
        self._backend = backend
        self.codec: Codec = suite.codec_of(backend, load.model)
        if not backend.answers_inputs:
            suite.task.check(self._samples, self.codec)
        self.runner: Runner = suite.loaded(backend, load.model, load.artifact, load.threads)
        self._server_is_here: bool = getattr(self.runner, "server_is_here", False)
        self._can_stream = can_stream(self.runner)
        counter = self.runner if backend.answers_inputs else self.codec
        self._count_tokens = getattr(counter, "token_counts", None)
        self._output_ids = self.codec.output_ids if isinstance(self.codec, TokenIdCodec) else None
        refuse_observers()
        # Loaded objects stay alive, so the collection before each block can skip them.
        gc.collect()
        gc.freeze()

    def loaded(self) -> messages.Loaded:
        return messages.Loaded(
            threads=self.runner.threads,
            decoding=dict(self.runner.decoding),
            memory_bytes=clocks.peak_memory_bytes(),
            ready_ns=perf_counter_ns(),
            scores_text=isinstance(self.runner, ScoringRunner),
        )

    def inputs(self) -> messages.Inputs:
        return messages.Inputs(self._samples.inputs_digest())

    @cached_property
    def _windows(self) -> Sequence[Window]:
        return self._task.windows(self.codec, self._data)

    def text(self) -> messages.Text:
        return messages.Text(len(self._windows), text_scoring.digest(self._windows))

    def score(self, request: messages.ScoreWindow) -> messages.WindowScored:
        assert isinstance(self.runner, ScoringRunner)
        return text_scoring.score(self.runner, self._windows[request.window], request)

    def run(self, block: messages.Block) -> messages.BlockDone:
        """Run the queries of a block, and return their times and, if requested, their outputs.

        Raises ValueError if a query returns more or fewer outputs than it has samples.
        """
        queries = [[self._sample(i, block.length) for i in query] for query in block.queries]
        encode: Any = self.codec.encode
        if block.length is not None:
            encode = partial(encode, length=block.length)
        run_query = self._run_query
        if block.warm_up:
            run_query(self.codec.encode, [self._warm_up_input] * len(queries[0]))
        outputs: list[list[object]] = []
        query_ns: list[int] = []
        model_ns: list[int] = []
        tokens: list[tuple[int, int]] = []
        token_ns: list[list[int]] = []
        output_ids: list[list[int]] = []
        gc.collect()
        gc.disable()
        busy_before = clocks.host_busy_ns()
        cpu_before = process_time_ns()
        block_start = perf_counter_ns()
        deadline = block_start + block.least_ns
        while True:
            for inputs in queries:
                query = run_query(encode, inputs)
                query_ns.append(query.end - query.start)
                model_ns.append(query.done - query.ready)
                if self._count_tokens:
                    tokens.append(self._count_tokens(query.results, query.features))
                if query.arrivals:
                    token_ns.append([arrival - query.start for arrival in query.arrivals])
                if block.outputs:
                    outputs.append(query.outputs)
                    if self._output_ids:
                        output_ids += self._output_ids(query.results, query.features)
            if perf_counter_ns() >= deadline:
                break
        wall_ns = perf_counter_ns() - block_start
        cpu_ns = process_time_ns() - cpu_before
        busy_after = clocks.host_busy_ns()
        gc.enable()
        for i, output in enumerate(outputs):
            if len(output) != (samples := len(queries[i % len(queries)])):
                raise ValueError(f"a query of {samples} samples returned {len(output)} outputs")
        if self._backend.answers_inputs and (problem := json_problem(outputs)):
            raise UserError(
                f"{self._backend.variant_id} returns outputs that JSON cannot express ({problem}): "
                "return str, int, float, bool, None, and lists and dicts of them; convert arrays "
                "and numbers of numpy with their method tolist()"
            )
        foreign_ns = None
        # If the server runs on this host, other busy processes may be the server itself.
        if busy_before is not None and busy_after is not None and not self._server_is_here:
            foreign_ns = busy_after - busy_before - cpu_ns
        return messages.BlockDone(
            query_ns,
            model_ns,
            wall_ns,
            cpu_ns,
            foreign_ns,
            outputs if block.outputs else None,
            tokens or None,
            token_ns if len(token_ns) == len(query_ns) else None,
            output_ids if block.outputs and self._output_ids else None,
        )

    def _sample(self, number: int, length: int | None) -> object:
        if length is None:
            return self._samples.inputs[number]
        return self._task.sized(self._samples.inputs, number, length)

    def _run_query(self, encode: Callable[[list[object]], Any], inputs: list[object]) -> _Query:
        runner: Any = self.runner
        arrivals: list[int] = []

        def receive(new: Sequence[object]) -> None:
            arrivals.extend([perf_counter_ns()] * len(new))

        streams = len(inputs) == 1 and self._can_stream
        infer = partial(runner.stream, receive=receive) if streams else runner.infer
        start = perf_counter_ns()
        features = encode(inputs)
        ready = perf_counter_ns()
        results = infer(features)
        done = perf_counter_ns()
        outputs = self.codec.decode(results, features)
        return _Query(start, ready, done, perf_counter_ns(), features, results, outputs, arrivals)


class _Query(NamedTuple):
    """A query with its times by `perf_counter_ns`."""

    start: int
    ready: int
    """The start of the model's part."""
    done: int
    """The end of the model's part."""
    end: int
    features: Any
    results: Any
    outputs: list[object]
    arrivals: list[int]
    """The time at which each token arrived; empty if the runner does not stream."""


def _shortest_input(inputs: Sequence[object]) -> object:
    """Return the shortest input that is not empty, or the first input if none has a length."""
    return min(inputs, key=lambda sample: (isinstance(sample, Sized) and len(sample)) or inf)


def build(request: messages.Build) -> messages.Built:
    gc.collect()  # the model of the previous build
    suite = address_of(request.suite).load()
    backend = naming.restore(request.backend)
    model = suite.model_folder(request.model)
    material = Material(
        model=model,
        task=suite.task.for_model(model),
        data=Path(request.data),
        source=None if request.source is None else Path(request.source),
        folder=suite.folder,
    )
    # An artifact with a source was checked when the source was built.
    if material.source is None and not backend.answers_inputs:
        codec = suite.codec_of(backend, request.model)
        suite.task.check(suite.task.samples(material.data), codec)
    return messages.Built(backend.build(material, Path(request.folder)))


def main() -> None:
    """Reply to requests on stdin until it closes."""
    die_with_parent()
    requests, replies = _own_pipes()
    variant: LoadedVariant | None = None
    for line in requests:
        number, request = messages.decode(line)
        reply: messages.Message
        try:
            if isinstance(request, messages.Build):
                reply = build(request)
            elif isinstance(request, messages.LoadArtifact):
                variant = LoadedVariant(request)
                reply = variant.loaded()
            elif isinstance(request, messages.Block) and variant:
                reply = variant.run(request)
            elif isinstance(request, messages.AskInputs) and variant:
                reply = variant.inputs()
            elif isinstance(request, messages.AskText) and variant:
                reply = variant.text()
            elif isinstance(request, messages.ScoreWindow) and variant:
                reply = variant.score(request)
            elif isinstance(request, messages.Survey):
                reply = survey(request)
            elif isinstance(request, messages.AskMemory):
                reply = messages.Memory(clocks.peak_memory_bytes())
            else:
                raise ValueError(
                    f"{type(request).__name__} is not a request, or needs a loaded variant"
                )
            encoded = messages.encode(reply, number)
        except Exception as error:
            if not isinstance(error, UserError):
                traceback.print_exc()
            failure = messages.RequestFailed(
                type(error).__name__, str(error), is_user_error=isinstance(error, UserError)
            )
            encoded = messages.encode(failure, number)
        replies.write(encoded)
        replies.flush()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes of stdin and stdout, and redirect the output of libraries to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    main()
