"""A worker with its variant: it runs blocks, and is frozen between them."""

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
from pytest_infperf.records.time_spent import spending
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True)
class Assignment:
    """The variant that a worker runs or a builder builds."""

    suite: SuiteAddress
    blueprint: Blueprint
    checkout: Checkout
    data: Path
    """Folder of the data."""
    timeout_s: float
    """Time limit of each reply, in seconds."""

    @property
    def name(self) -> str:
        """Name in messages: the variant's id, and the revision if it is not the working tree."""
        revision = self.checkout.revision
        return f"{self.blueprint.variant_id}{f' at {revision}' if revision else ''}"


class VariantWorker:
    """A worker that loads one variant and runs blocks. It is frozen while idle.

    The constructor starts the process and returns at once, so that several workers can load in
    parallel. Call `finish_loading` and `answer_first_query` before other methods, or use `ready`.
    The thread that starts a worker must not end before the worker: Linux ends a worker with that
    thread.
    """

    loaded: messages.Loaded
    """Settings of the loaded variant."""
    load_s: float
    """Time from the start of the process until the variant is loaded, in seconds."""
    first_query_s: float
    """Time of the first query, in seconds."""

    def __init__(self, assignment: Assignment, artifact: Artifact, threads: int | None) -> None:
        blueprint = assignment.blueprint
        self.variant_id = blueprint.variant_id
        self.artifact = artifact
        self._cores = list(blueprint.cpus or usable_cores())
        self._assignment = assignment
        self._started_ns = perf_counter_ns()
        self._start(threads)

    @classmethod
    def ready(
        cls, assignment: Assignment, artifact: Artifact, threads: int | None
    ) -> VariantWorker:
        """Return a worker that has loaded its variant and run its first query."""
        worker = cls(assignment, artifact, threads)
        worker.finish_loading()
        worker.answer_first_query()
        return worker

    def _start(self, threads: int | None) -> None:
        assignment = self._assignment
        self._process = WorkerProcess(assignment.name, assignment.checkout, assignment.timeout_s)
        request = messages.LoadArtifact(
            suite=asdict(assignment.suite),
            data=str(assignment.data),
            backend=assignment.blueprint.backend,
            model=assignment.blueprint.model,
            artifact=str(self.artifact.folder),
            threads=threads,
            cpus=assignment.blueprint.cpus,
            timeout_s=assignment.timeout_s,
        )
        with self._closed_on_failure():
            self._process.send(request)

    def finish_loading(self) -> None:
        """Wait until the variant is loaded, freeze the process and set `loaded` and `load_s`."""
        self.loaded = self._wait_until_loaded()
        self.load_s = (self.loaded.ready_ns - self._started_ns) / 1e9

    def answer_first_query(self) -> None:
        """Run the first query, without a warm-up, and set `first_query_s`."""
        self.first_query_s = self._run_first_query().query_ns[0] / 1e9

    def restart(self) -> None:
        """End the process, and start a new one with the same threads; see `finish_restart`.

        `loaded`, `load_s` and `first_query_s` still describe the first process.
        """
        with spending("starting"):
            self._process.close()
            self._start(self.loaded.threads)

    def finish_restart(self) -> None:
        """Wait until the new process has loaded the variant and run its first query."""
        with spending("starting"):
            self._wait_until_loaded()
            self._run_first_query()

    def _wait_until_loaded(self) -> messages.Loaded:
        with self._closed_on_failure():
            loaded = self._process.receive(messages.Loaded)
            self._process.freeze()
        return loaded

    def _run_first_query(self) -> messages.BlockDone:
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
        """Run one block, and return its times. The worker is frozen afterwards.

        With a `turn`, the worker gets as many cores as it has threads, different ones in each turn,
        and its main thread gets the first of them. The cores of a shared host differ in speed;
        therefore, two workers that are compared in a turn use the same cores for the same kind of
        work. The other parameters are those of `messages.Block`.
        """
        block = messages.Block(queries, least_ns, warm_up, outputs, length)
        cores = self._cores if turn is None else self._cores_of_turn(turn)
        self._process.place(cores, first_leads=turn is not None)
        with self._process.thawed():
            return self._process.ask(block, messages.BlockDone)

    def _cores_of_turn(self, turn: int) -> list[int]:
        cores, threads = self._cores, min(self.loaded.threads, len(self._cores))
        return [cores[(turn + i) % len(cores)] for i in range(threads)]

    def inputs_digest(self) -> str:
        with self._process.thawed():
            return self._process.ask(messages.AskInputs(), messages.Inputs).digest

    def text(self) -> messages.Text:
        with self._process.thawed():
            return self._process.ask(messages.AskText(), messages.Text)

    def score_window(self, request: messages.ScoreWindow) -> messages.WindowScored:
        self._process.place(self._cores, first_leads=False)
        with self._process.thawed():
            return self._process.ask(request, messages.WindowScored)

    def peak_memory_bytes(self) -> int:
        with self._process.thawed():
            return self._process.ask(messages.AskMemory(), messages.Memory).peak_bytes

    def close(self) -> None:
        self._process.close()
