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
"""Copies of a model while it is exported: the module, its trace, the graph, the graph as it is
written, and the session that checks it, which keeps the weights twice."""


def free_bytes() -> int:
    """Return the memory that this host has for builders, or the control group of this process."""
    free, granted = psutil.virtual_memory().available, cgroup.free_memory_bytes()
    return free if granted is None else min(free, granted)


class Builders:
    """The processes that build artifacts. Threads may share it to build side by side.

    A build waits while there is no memory for it beside others. One always runs. A process whose
    build left no trace builds again, until `release`: importing a runtime takes most of the time.
    The threads that build have to outlive `release`, as those that start workers do.

    Parameters
    ----------
    free_bytes : callable, optional
        Returns the memory that there is for builders, in bytes.
    """

    def __init__(self, free_bytes: Callable[[], int] = free_bytes) -> None:
        self._free_bytes = free_bytes
        self._processes: set[WorkerProcess] = set()
        self._idle: list[tuple[str, WorkerProcess]] = []
        """Processes that may build again, with the names that their blueprints have for them."""
        self._ended = False
        self._lock = Condition()
        self._room_bytes = 0
        """Memory that there was for the builds that are under way."""
        self._taken_bytes = 0
        """Memory that they may take."""

    def build(self, assignment: Assignment, folder: Path, source: Path | None) -> dict[str, Any]:
        """Build an artifact into an empty folder and return the evidence of how it was built.

        Raises WorkerError if the process fails or `end` was called, and UserError if the backend
        reports one.
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
        """Wait until a variant of a model can be built beside the builds that are under way."""
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
        """Return an idle process that may build this, or start another."""
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
        """End the processes that wait for another build."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, process in idle:
            self._close(process)

    def end(self) -> None:
        """Kill the running processes and refuse to start others."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.kill()
