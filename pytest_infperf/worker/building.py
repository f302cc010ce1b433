"""Building artifacts in processes that an interrupted run can end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Condition
from typing import Any

import psutil

from pytest_infperf.artifacts.models import files_of
from pytest_infperf.errors import WorkerError
from pytest_infperf.host import cgroup
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess
from pytest_infperf.worker.variant_worker import Assignment

_RUNTIME_BYTES = 500_000_000
"""Memory of a builder besides the model: torch, transformers and the exporter."""
_COPIES = 6
"""Copies of a model in memory during export: the module, its trace, the graph, the serialised
graph, and the session that checks it, which keeps the weights twice."""


def free_bytes() -> int:
    """Return the available memory of this host or of this process's control group, in bytes."""
    free, granted = psutil.virtual_memory().available, cgroup.free_memory_bytes()
    return free if granted is None else min(free, granted)


class Builders:
    """The processes that build artifacts. It may be used by several threads.

    A build waits until there is enough memory for it beside the running builds; at least one build
    runs. Processes are reused until `release` if their backend allows it, because importing a
    runtime takes most of the time. Threads that build must not end before `release`: Linux ends a
    process with the thread that started it.

    Parameters
    ----------
    free_bytes : callable, optional
        Returns the memory available for builders, in bytes.
    """

    def __init__(self, free_bytes: Callable[[], int] = free_bytes) -> None:
        self._free_bytes = free_bytes
        self._processes: set[WorkerProcess] = set()
        self._idle: list[tuple[str, WorkerProcess]] = []
        """Processes that can be reused, with the `builder` of their blueprints."""
        self._ended = False
        self._lock = Condition()
        self._room_bytes = 0
        """Memory that was available when the first running build started."""
        self._taken_bytes = 0
        """Memory reserved for the running builds."""

    def build(self, assignment: Assignment, folder: Path, source: Path | None) -> dict[str, Any]:
        """Build an artifact in an empty folder, and return the evidence of the build.

        Raises WorkerError if the process fails or `end` was called, and UserError if the backend
        raises one.
        """
        request = messages.Build(
            suite=asdict(assignment.suite),
            backend=assignment.blueprint.backend,
            model=assignment.blueprint.model,
            data=str(assignment.data),
            source=None if source is None else str(source),
            folder=str(folder),
        )
        with self._memory_for(assignment.blueprint.model):
            process = self._process(assignment)
            try:
                evidence = process.ask(request, messages.Built).evidence
            except BaseException:
                self._close(process)
                raise
            if (name := assignment.blueprint.builder) is None:
                self._close(process)
            else:
                with self._lock:
                    self._idle.append((name, process))
            return evidence

    @contextmanager
    def _memory_for(self, model: str) -> Iterator[None]:
        """Wait until there is enough memory to build a variant of a model."""
        files = files_of(Path(model)) if model else []
        needed = _RUNTIME_BYTES + _COPIES * sum(path.stat().st_size for path in files)
        with self._lock:
            self._lock.wait_for(
                lambda: not self._taken_bytes or self._taken_bytes + needed <= self._room_bytes
            )
            if not self._taken_bytes:
                self._room_bytes = self._free_bytes()
            self._taken_bytes += needed
        try:
            yield
        finally:
            with self._lock:
                self._taken_bytes -= needed
                self._lock.notify_all()

    def _process(self, assignment: Assignment) -> WorkerProcess:
        """Return an idle process that can be reused, or start another."""
        with self._lock:
            if self._ended:
                raise WorkerError(f"building {assignment.name} was interrupted")
            for entry in self._idle:
                if entry[0] == assignment.blueprint.builder and entry[1].alive:
                    self._idle.remove(entry)
                    entry[1].rename(assignment.name)
                    return entry[1]
            process = WorkerProcess(assignment.name, assignment.checkout, assignment.timeout_s)
            self._processes.add(process)
        return process

    def _close(self, process: WorkerProcess) -> None:
        with self._lock:
            self._processes.discard(process)
        process.close()

    def release(self) -> None:
        """End the idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, process in idle:
            self._close(process)

    def end(self) -> None:
        """Kill the running processes, and prevent the start of others."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.kill()
