"""A variant being served by a worker: started, asked for blocks, frozen in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns

from pytest_infperf import errors
from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.artifacts.cache import Artifact
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True)
class Assignment:
    """What a worker is to serve or to build."""

    suite: SuiteAddress
    blueprint: Blueprint
    checkout: Checkout
    data: Path
    """The folder that the samples are read from."""
    timeout_s: float

    @property
    def name(self) -> str:
        revision = self.checkout.revision
        return f"{self.blueprint.variant_id}{f' at {revision}' if revision else ''}"


class VariantWorker:
    """A frozen worker that has loaded a variant and answered its first query.

    Several can be begun before any of them is waited for. Whoever begins one in a thread has to
    outlive it: Linux ends a worker with the thread that started it.
    """

    loaded: messages.Loaded
    load_s: float
    """From the start of the process, imports included, to its readiness."""
    first_query_s: float

    def __init__(self, assignment: Assignment, artifact: Artifact, threads: int | None) -> None:
        """Begin to load."""
        blueprint = assignment.blueprint
        self.variant_id = blueprint.variant_id
        self.artifact = artifact
        self._cores = list(blueprint.cpus or usable_cores())
        self._assignment = assignment
        self._begun_ns = perf_counter_ns()
        self._begin(threads)

    @classmethod
    def ready(
        cls, assignment: Assignment, artifact: Artifact, threads: int | None
    ) -> VariantWorker:
        worker = cls(assignment, artifact, threads)
        worker.finish_loading()
        worker.answer_first_query()
        return worker

    def _begin(self, threads: int | None) -> None:
        given = self._assignment
        self._process = WorkerProcess(given.name, given.checkout, given.timeout_s)
        request = messages.LoadArtifact(
            suite=asdict(given.suite),
            data=str(given.data),
            backend=given.blueprint.backend,
            model=given.blueprint.model,
            artifact=str(self.artifact.folder),
            threads=threads,
            cpus=given.blueprint.cpus,
        )
        with self._closed_on_failure():
            self._process.send(request)

    def finish_loading(self) -> None:
        self.loaded = self._once_loaded()
        self.load_s = (self.loaded.ready_ns - self._begun_ns) / 1e9

    def answer_first_query(self) -> None:
        self.first_query_s = self._first_answer().query_ns[0] / 1e9

    def begin_anew(self) -> None:
        """End the process and begin another in its place, with as many threads.

        How long the first one took to load and to answer stays as it was.
        """
        self._process.close()
        self._begin(self.loaded.threads)

    def finish_anew(self) -> None:
        self._once_loaded()
        self._first_answer()

    def _once_loaded(self) -> messages.Loaded:
        with self._closed_on_failure():
            loaded = self._process.receive(messages.Loaded)
            self._process.freeze()
        return loaded

    def _first_answer(self) -> messages.BlockDone:
        with self._closed_on_failure():
            return self.run([[0]], warm_up=False)

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._process.close()
            raise

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
        length: int | None = None,
    ) -> messages.BlockDone:
        """One block, the worker awake for as long as it lasts.

        With a `turn` the worker gets as many cores as it has threads, others at each turn, and
        answers on the first of them: cores of a shared host differ in speed, and what is compared
        at one turn should share them, each for the same part of its work.
        """
        block = messages.Block(queries, least_ns, warm_up, outputs, length)
        cores = self._cores if turn is None else self._cores_at(turn)
        self._process.place(cores, first_leads=turn is not None)
        with self._process.thawed():
            return self._process.ask(block, messages.BlockDone)

    def _cores_at(self, turn: int) -> list[int]:
        cores, threads = self._cores, min(self.loaded.threads, len(self._cores))
        return [cores[(turn + i) % len(cores)] for i in range(threads)]

    def inputs_digest(self) -> str:
        with self._process.thawed():
            return self._process.ask(messages.AskInputs(), messages.Inputs).digest

    def peak_memory_bytes(self) -> int:
        with self._process.thawed():
            return self._process.ask(messages.AskMemory(), messages.Memory).peak_bytes

    def close(self) -> None:
        self._process.close()
