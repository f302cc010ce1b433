"""Artifacts being built, each by a process of its own, and all of them ended by Ctrl-C."""

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
    """Used by several threads: variants are built side by side."""

    def __init__(self) -> None:
        self._running: set[WorkerProcess] = set()
        self._ended = False
        self._lock = Lock()

    def build(self, assignment: Assignment, folder: Path, source: Path | None) -> dict[str, Any]:
        """Build an artifact into the folder; returns its evidence."""
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
                raise WorkerError(f"the building of {assignment.name} was interrupted")
            process = WorkerProcess(assignment.name, assignment.checkout, assignment.timeout_s)
            self._running.add(process)
        return process

    def end(self) -> None:
        """Kill the builders that run, and start no more."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.kill()
