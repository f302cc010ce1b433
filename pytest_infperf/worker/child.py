"""The worker's side: loads one variant and runs blocks of queries, timed around each query.

Nothing here knows of limits, intervals or reports: a worker measures, the run judges.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Sequence, Sized
from functools import partial
from math import inf
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Any, BinaryIO

from pytest_infperf.errors import UserError
from pytest_infperf.host.processes import die_with_parent
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Material, Runner
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.suite.task import Codec
from pytest_infperf.worker import clocks, messages
from pytest_infperf.worker.surveying import survey


class LoadedVariant:
    """A loaded variant with the suite's samples."""

    def __init__(self, load: messages.LoadArtifact) -> None:
        if load.cpus is not None:
            os.sched_setaffinity(0, load.cpus)
        suite = SuiteAddress(**load.suite).load()
        backend = naming.restore(load.backend)
        self._task = suite.task
        self._samples = suite.task.samples(Path(load.data))
        self._shortest = _shortest(self._samples.inputs)
        self.codec: Codec = suite.task.codec(Path(load.model))
        self.runner: Runner = backend.load(Path(load.artifact), suite.task, load.threads)
        # What is loaded stays: the collection before each block need not look through it again.
        gc.collect()
        gc.freeze()

    def loaded(self) -> messages.Loaded:
        return messages.Loaded(
            threads=self.runner.threads,
            decoding=dict(self.runner.decoding),
            memory_bytes=clocks.peak_memory_bytes(),
            ready_ns=perf_counter_ns(),
        )

    def inputs(self) -> messages.Inputs:
        return messages.Inputs(self._samples.inputs_digest())

    def run(self, block: messages.Block) -> messages.BlockDone:
        queries = [[self._sample(i, block.length) for i in query] for query in block.queries]
        encode: Any = self.codec.encode
        if block.length is not None:
            encode = partial(encode, length=block.length)
        query = self._query
        if block.warm_up:
            query(self.codec.encode, [self._shortest] * len(queries[0]))
        outputs: list[list[object]] = []
        query_ns: list[int] = []
        model_ns: list[int] = []
        gc.collect()
        gc.disable()
        busy = clocks.host_busy_ns()
        cpu = process_time_ns()
        begin = perf_counter_ns()
        enough = begin + block.least_ns
        while True:
            for inputs in queries:
                start, ready, done, end, output = query(encode, inputs)
                query_ns.append(end - start)
                model_ns.append(done - ready)
                if block.outputs:
                    outputs.append(output)
            if perf_counter_ns() >= enough:
                break
        wall = perf_counter_ns() - begin
        own = process_time_ns() - cpu
        busy_after = clocks.host_busy_ns()
        gc.enable()
        for i, output in enumerate(outputs):
            if len(output) != (samples := len(queries[i % len(queries)])):
                raise ValueError(f"{len(output)} outputs of a query of {samples} samples")
        foreign = None if busy is None or busy_after is None else busy_after - busy - own
        return messages.BlockDone(
            query_ns, model_ns, wall, own, foreign, outputs if block.outputs else None
        )

    def _sample(self, number: int, length: int | None) -> object:
        if length is None:
            return self._samples.inputs[number]
        return self._task.sized(self._samples.inputs, number, length)

    def _query(
        self, encode: Callable[[list[object]], Any], inputs: list[object]
    ) -> tuple[int, int, int, int, list[object]]:
        start = perf_counter_ns()
        features = encode(inputs)
        ready = perf_counter_ns()
        results = self.runner.infer(features)
        done = perf_counter_ns()
        outputs = self.codec.decode(results, features)
        return start, ready, done, perf_counter_ns(), outputs


def _shortest(inputs: Sequence[object]) -> object:
    """The least work that is none at all; the first where samples have no length, or one."""
    return min(inputs, key=lambda sample: (isinstance(sample, Sized) and len(sample)) or inf)


def build(request: messages.Build) -> messages.Built:
    suite = SuiteAddress(**request.suite).load()
    backend = naming.restore(request.backend)
    material = Material(
        model=Path(request.model),
        task=suite.task,
        data=Path(request.data),
        source=None if request.source is None else Path(request.source),
    )
    return messages.Built(backend.build(material, Path(request.folder)))


def main() -> None:
    die_with_parent()
    requests, replies = _own_pipes()
    variant: LoadedVariant | None = None
    for line in requests:
        request = messages.decode(line)
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
            elif isinstance(request, messages.Survey):
                reply = survey(request)
            elif isinstance(request, messages.AskMemory):
                reply = messages.Memory(clocks.peak_memory_bytes())
            else:
                raise ValueError(f"a worker cannot answer {type(request).__name__} now")
        except Exception as error:
            if not isinstance(error, UserError):
                traceback.print_exc()
            reply = messages.RequestFailed(
                type(error).__name__, str(error), mendable=isinstance(error, UserError)
            )
        replies.write(messages.encode(reply))
        replies.flush()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for messages, and let what libraries print go to stderr."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    main()
