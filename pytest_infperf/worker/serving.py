"""A variant being served by a worker: started, asked for blocks, frozen in between."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from pytest_infperf import errors, naming
from pytest_infperf.artifacts import Artifact
from pytest_infperf.discovery import SuiteAddress
from pytest_infperf.suite import Backend
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess

__tracebackhide__ = errors.meant_for_the_user


def usable_cores() -> list[int]:
    """The cores that this process, and so its workers, may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@dataclass(frozen=True)
class Assignment:
    """What a worker is to serve or to build."""

    suite: SuiteAddress
    backend: Backend
    model: Path
    timeout_s: float

    @property
    def name(self) -> str:
        return self.backend.variant_id


class ServedVariant:
    """A frozen worker that has loaded a variant and answered its first query."""

    def __init__(self, assignment: Assignment, artifact: Artifact, threads: int | None) -> None:
        self.backend = assignment.backend
        self.artifact = artifact
        self._cores = list(assignment.backend.cpus or usable_cores())
        start = perf_counter()
        self._process = WorkerProcess(assignment.name, assignment.timeout_s)
        try:
            self.loaded = self._process.ask(
                messages.Load(
                    suite=asdict(assignment.suite),
                    backend=naming.describe(assignment.backend),
                    model=str(assignment.model),
                    artifact=str(artifact.folder),
                    threads=threads,
                    cpus=assignment.backend.cpus,
                ),
                messages.Loaded,
            )
            self.load_s = perf_counter() - start
            """From the start of the process, imports included, to its readiness."""
            first = messages.Block(queries=[[0]], warm_up=False)
            self.first_query_s = self._process.ask(first, messages.BlockDone).query_ns[0] / 1e9
            self._process.freeze()
        except BaseException:
            self._process.close()
            raise

    @property
    def variant_id(self) -> str:
        return self.backend.variant_id

    @property
    def alive(self) -> bool:
        return self._process.alive

    def run(
        self,
        queries: Sequence[Sequence[int]],
        *,
        least_ns: int = 0,
        outputs: bool = False,
        warm_up: bool = True,
        turn: int | None = None,
    ) -> messages.BlockDone:
        """One block, the worker awake for as long as it lasts.

        With a `turn` the worker gets as many cores as it has threads, others at each turn: cores of
        a shared host differ in speed, and what is compared at one turn should share them.
        """
        block = messages.Block(queries, least_ns, warm_up, outputs)
        self._process.place(self._cores if turn is None else self._cores_at(turn))
        with self._process.thawed():
            return self._process.ask(block, messages.BlockDone)

    def _cores_at(self, turn: int) -> list[int]:
        cores, threads = self._cores, min(self.loaded.threads, len(self._cores))
        return [cores[(turn + i) % len(cores)] for i in range(threads)]

    def peak_memory_bytes(self) -> int:
        with self._process.thawed():
            return self._process.ask(messages.AskMemory(), messages.Memory).peak_bytes

    def close(self) -> None:
        self._process.close()
