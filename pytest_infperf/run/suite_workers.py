"""The workers of a suite in one checkout. All artifacts are built before workers start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pytest_infperf import errors
from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.artifacts.cache import Artifact, ArtifactCache
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host import cgroup
from pytest_infperf.host.cpu import usable_cores
from pytest_infperf.measure import blocks, threads
from pytest_infperf.measure.throughput import SetRun, run_set
from pytest_infperf.records.time_spent import spending
from pytest_infperf.repository.checkout import Checkout
from pytest_infperf.suite.backend import Threads
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker.building import Builders
from pytest_infperf.worker.variant_worker import Assignment, VariantWorker

__tracebackhide__ = errors.meant_for_the_user

ReportProgress = Callable[[str, str], None]
"""Callback for progress: the id of a variant, and the current activity."""

Outcome = TypeVar("Outcome")


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
    """Returns the number of threads for a variant."""
    wanted: Sequence[str]
    """The ids of the variants that will be measured; they are built first, in parallel."""
    kept: str | None
    """The id of the variant whose worker is kept: the baseline."""
    report_progress: ReportProgress
    thread_searches: dict[str, dict[int, float]] = field(init=False, default_factory=dict)
    _workers: dict[str, VariantWorker] = field(init=False, default_factory=dict)
    _set_runs: dict[tuple[str, int], SetRun] = field(init=False, default_factory=dict)
    _failures: dict[str, UserError | WorkerError] = field(init=False, default_factory=dict)
    _failed_parts: dict[str, UserError | WorkerError] = field(init=False, default_factory=dict)
    """Reason why an artifact could not be built, by the key of its blueprint."""
    _builders: Builders = field(init=False, default_factory=Builders)

    def worker(self, variant_id: str) -> VariantWorker:
        """Return the worker of a variant, and start it if it does not run.

        Raises
        ------
        UserError, WorkerError
            If the variant cannot be built or its worker cannot be started. Later calls raise the
            same error.
        """
        if known := self._failures.get(variant_id):
            raise known
        worker = self._workers.get(variant_id)
        if worker and worker.alive:
            return worker
        self._make_room_for(variant_id)
        try:
            with spending("starting"):
                self._workers[variant_id] = self._start(variant_id)
        except (UserError, WorkerError) as failure:
            self._failures[variant_id] = failure
            raise
        return self._workers[variant_id]

    def started(self, variant_id: str, threads: int | None) -> VariantWorker:
        """Start another worker with a number of threads, which the caller must close."""
        assignment = self._assignment(self.blueprint(variant_id))
        artifact = self.artifact(variant_id)
        with spending("starting"):
            return VariantWorker.ready(assignment, artifact, threads)

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
        requested = 1 if blueprint.is_remote else self.threads(blueprint)
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
        checkout = self.checkout.run_by(blueprint.python)
        return Assignment(self.address, blueprint, checkout, self.data, self.timeout_s)

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
        """The artifacts of all wanted variants; missing ones are built in parallel.

        Meanwhile, nothing is measured and no worker is started, because start times are measured.
        """
        wanted = dict.fromkeys([*([self.kept] if self.kept else []), *self.wanted])
        with ThreadPoolExecutor(max_workers=len(usable_cores())) as pool:
            try:
                found = self._outcomes({i: pool.submit(self._found, i) for i in wanted})
                missing = {i: self.blueprint(i) for i, artifact in found.items() if not artifact}
                built = self._build(missing, pool) if missing else {}
            except BaseException:  # after Ctrl-C, the pool would wait minutes for running builds
                pool.shutdown(wait=False, cancel_futures=True)
                self._builders.end()
                raise
        return built | {i: artifact for i, artifact in found.items() if artifact}

    def _build(
        self, missing: Mapping[str, Blueprint], pool: ThreadPoolExecutor
    ) -> dict[str, Artifact]:
        with spending("building"):
            pending = {
                part.key: pool.submit(self._obtain, variant_id, part)
                for variant_id, part in _building_order(missing)
            }
            built = self._outcomes({i: pending[part.key] for i, part in missing.items()})
        self._builders.release()
        return built

    def _outcomes(self, pending: Mapping[str, Future[Outcome]]) -> dict[str, Outcome]:
        """Return the results by variant, and enter the failures of the others."""
        results = {}
        for variant_id, future in pending.items():
            try:
                results[variant_id] = future.result()
            except (UserError, WorkerError) as failure:
                self._failures[variant_id] = failure
        return results

    def _found(self, variant_id: str) -> Artifact | None:
        blueprint = self.blueprint(variant_id)
        if blueprint.is_remote:
            return Artifact(self.data, {}, 0)
        return self.artifacts.find(blueprint)

    def _obtain(self, variant_id: str, blueprint: Blueprint) -> Artifact:
        def build(part: Blueprint, folder: Path, source: Path | None) -> dict[str, Any]:
            if failure := self._failed_parts.get(part.key):
                raise failure
            self._report(variant_id, f"building {part.default_id}")
            try:
                return self._builders.build(self._assignment(part), folder, source)
            except (UserError, WorkerError) as failure:
                self._failed_parts[part.key] = failure
                raise

        return self.artifacts.obtain(blueprint, build)


def _building_order(missing: Mapping[str, Blueprint]) -> list[tuple[str, Blueprint]]:
    """Return the artifacts to build, each once and with the id of a variant that needs it.

    Sources of other artifacts come first, and artifacts with a source last, because a thread that
    waits for a source builds nothing.
    """
    sources: dict[str, tuple[str, Blueprint]] = {}
    variants: dict[str, tuple[str, Blueprint]] = {}
    for variant_id, blueprint in missing.items():
        variants[blueprint.key] = variant_id, blueprint
        chain = [blueprint]
        while source := chain[-1].source:
            chain.append(source)
        for part in reversed(chain[1:]):
            sources.setdefault(part.key, (variant_id, part))
    others = [job for key, job in variants.items() if key not in sources]
    return [*sources.values(), *sorted(others, key=lambda job: job[1].source is not None)]
