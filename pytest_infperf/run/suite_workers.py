"""The workers of a suite in one checkout: all artifacts are built first, few workers are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_infperf import errors
from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.artifacts.cache import Artifact, ArtifactCache
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host import cgroup
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.measure import blocks, threads
from pytest_infperf.measure.throughput import SetRun, run_set
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.suite.backend import Threads
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker.building import Builders
from pytest_infperf.worker.variant_worker import Assignment, VariantWorker

__tracebackhide__ = errors.meant_for_the_user

ReportProgress = Callable[[str, str], None]
"""Callback for progress: the id of a variant, and what is being done with it."""


@dataclass(repr=False)
class SuiteWorkers:
    """Builds the variants of a suite in one checkout, and starts workers when they are needed."""

    address: SuiteAddress
    checkout: Checkout
    data: Path
    """The folder from which samples are read, also by workers of another checkout."""
    numbers: Sequence[int]
    """The numbers of the samples that are measured and scored."""
    seed: int
    timeout_s: float
    artifacts: ArtifactCache
    blueprint: Callable[[str], Blueprint]
    """Returns the blueprint of a variant. Raises UserError if it cannot be made."""
    threads: Callable[[Blueprint], Threads]
    """Returns the number of threads with which a variant is started."""
    wanted: Sequence[str]
    """The ids of the variants that will be measured; they are built first, in parallel."""
    kept: str | None
    """The id of the variant whose worker is kept: the baseline."""
    report_progress: ReportProgress
    thread_searches: dict[str, dict[int, float]] = field(init=False, default_factory=dict)
    _workers: dict[str, VariantWorker] = field(init=False, default_factory=dict)
    _set_runs: dict[tuple[str, int], SetRun] = field(init=False, default_factory=dict)
    _failures: dict[str, UserError | WorkerError] = field(init=False, default_factory=dict)
    _builders: Builders = field(init=False, default_factory=Builders)

    def worker(self, variant_id: str) -> VariantWorker:
        """Return the worker of a variant, and start it if it does not run.

        Raises
        ------
        UserError, WorkerError
            If the variant cannot be built or its worker cannot be started. Later calls raise the
            same failure again.
        """
        if known := self._failures.get(variant_id):
            raise known
        worker = self._workers.get(variant_id)
        if worker and worker.alive:
            return worker
        self._make_room_for(variant_id)
        try:
            self._workers[variant_id] = self._start(variant_id)
        except (UserError, WorkerError) as failure:
            self._failures[variant_id] = failure
            raise
        return self._workers[variant_id]

    def started(self, variant_id: str, threads: int | None) -> VariantWorker:
        """Start another worker with a number of threads, which the caller must close."""
        assignment = self._assignment(self.blueprint(variant_id))
        return VariantWorker.ready(assignment, self.artifact(variant_id), threads)

    def set_run(self, variant_id: str, batch: int) -> SetRun:
        """Return a variant's run over the quality set in batches; only the first call runs it."""
        if (variant_id, batch) not in self._set_runs:
            worker = self.worker(variant_id)
            self._set_runs[variant_id, batch] = run_set(
                worker,
                self.numbers,
                batch,
                lambda share: self._report(variant_id, f"running the quality set, {share:.0%}"),
            )
        return self._set_runs[variant_id, batch]

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def _report(self, variant_id: str, what: str) -> None:
        revision = self.checkout.revision
        self.report_progress(variant_id, f"{what} at {revision}" if revision else what)

    def _make_room_for(self, variant_id: str) -> None:
        for other in [i for i in self._workers if i not in (variant_id, self.kept)]:
            self._workers.pop(other).close()

    def _start(self, variant_id: str) -> VariantWorker:
        artifact = self.artifact(variant_id)
        blueprint = self.blueprint(variant_id)
        requested = self.threads(blueprint)
        if requested is None:
            requested = cgroup.default_threads(blueprint.cpus)
        if requested != "best":
            self._report(variant_id, "starting")
            return self.started(variant_id, requested)
        self._report(variant_id, "searching the best number of threads")
        assignment = self._assignment(blueprint)
        result = threads.search(
            lambda count: VariantWorker(assignment, artifact, count),
            cgroup.usable_threads(blueprint.cpus),
            blocks.endless_order(self.numbers, self.seed),
        )
        self.thread_searches[variant_id] = result.seen_s
        return result.chosen

    def _assignment(self, blueprint: Blueprint) -> Assignment:
        return Assignment(self.address, blueprint, self.checkout, self.data, self.timeout_s)

    def artifact(self, variant_id: str) -> Artifact:
        """Return the artifact of a wanted variant.

        Raises
        ------
        UserError, WorkerError
            If the variant could not be built.
        """
        try:
            return self._built[variant_id]
        except KeyError:
            raise self._failures[variant_id] from None

    @cached_property
    def _built(self) -> dict[str, Artifact]:
        """The artifacts of all wanted variants; missing ones are built in parallel."""
        wanted = dict.fromkeys([*([self.kept] if self.kept else []), *self.wanted])
        built: dict[str, Artifact] = {}
        with ThreadPoolExecutor(max_workers=len(usable_cores())) as pool:
            pending = {variant_id: pool.submit(self._obtain, variant_id) for variant_id in wanted}
            try:
                for variant_id, result in pending.items():
                    try:
                        built[variant_id] = result.result()
                    except (UserError, WorkerError) as failure:
                        self._failures[variant_id] = failure
            except BaseException:  # Ctrl-C: the pool would wait for builds that take minutes
                pool.shutdown(wait=False, cancel_futures=True)
                self._builders.end()
                raise
        return built

    def _obtain(self, variant_id: str) -> Artifact:
        def build(part: Blueprint, folder: Path, source: Path | None) -> dict[str, Any]:
            self._report(variant_id, f"building {part.default_id}")
            return self._builders.build(self._assignment(part), folder, source)

        return self.artifacts.obtain(self.blueprint(variant_id), build)
