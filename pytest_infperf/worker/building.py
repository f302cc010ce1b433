"""Building artifacts, each in a process of its own that an interrupted run can end."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from pytest_infperf.errors import WorkerError
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess
from pytest_infperf.worker.variant_worker import Assignment


class Builders:
    """The processes that build artifacts. Threads may share it to build side by side."""

    def __init__(self) -> None:
        self._running: set[WorkerProcess] = set()
        self._ended = False
        self._lock = Lock()

    def build(self, assignment: Assignment, folder: Path, source: Path | None) -> dict[str, Any]:
        """Build an artifact into an empty folder and return the evidence of how it was built.

        Raises WorkerError if the process fails or `end` was called, and UserError if the backend
        reports one.
        """
        process = self._start(assignment)
        try:
            request = messages.Build(
                suite=asdict(assignment.suite),
                backend=assignment.blueprint.backend,
                model=assignment.blueprint.model,
                data=str(assignment.data),
                source=None if source is None else str(source),
                folder=str(folder),
            )
            return process.ask(request, messages.Built).evidence
        finally:
            with self._lock:
                self._running.discard(process)
            process.close()

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
