"""Building artifacts, each in a process of its own that an interrupted run can end."""

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

    A build waits while there is no memory for it beside others. One always runs.

    Parameters
    ----------
    free_bytes : callable, optional
        Returns the memory that there is for builders, in bytes.
    """

    def __init__(self, free_bytes: Callable[[], int] = free_bytes) -> None:
        self._free_bytes = free_bytes
        self._running: set[WorkerProcess] = set()
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
            process = self._start(assignment)
            try:
                return process.ask(request, messages.Built).evidence
            finally:
                with self._lock:
                    self._running.discard(process)
                process.close()

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

    def _start(self, assignment: Assignment) -> WorkerProcess:
        with self._lock:
            if self._ended:
                raise WorkerError(f"building {assignment.name} was interrupted")
            process = WorkerProcess(assignment.name, assignment.checkout, assignment.timeout_s)
            self._running.add(process)
        return process

    def end(self) -> None:
        """Kill the running processes and refuse to start others."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.kill()
