"""One suite in a run: what its variants share, and the workers that serve them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_infperf import errors, models
from pytest_infperf.artifacts import Artifact, ArtifactCache
from pytest_infperf.discovery import SuiteAddress
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.measure import blocks, threads
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun, run_set
from pytest_infperf.metrics import metric
from pytest_infperf.suite import Backend, Metric, Samples, Suite, Threads
from pytest_infperf.thresholds import Policy
from pytest_infperf.worker.building import Builders
from pytest_infperf.worker.serving import Assignment, ServedVariant, usable_cores

__tracebackhide__ = errors.meant_for_the_user

Said = Callable[[str, str], None]
"""Hears which variant is at which phase."""


@dataclass(repr=False)
class SuiteRun:
    """Keeps at most two workers: the baseline's, and that of the variant whose turn it is."""

    suite: Suite
    address: SuiteAddress
    baseline_id: str | None
    policy: Policy
    artifacts: ArtifactCache
    seed: int
    full: bool
    threads_asked: Threads
    """--infperf-threads; None leaves it to the suite."""
    timeout_s: float
    selected: Sequence[str]
    """The variants whose tests run: they are built ahead, side by side."""
    said: Said
    more_metrics: Sequence[Metric] = ()
    thread_searches: dict[str, dict[int, float]] = field(default_factory=dict)
    _served: dict[str, ServedVariant] = field(default_factory=dict)
    _set_runs: dict[tuple[str, int], SetRun] = field(default_factory=dict)
    _failures: dict[str, UserError | WorkerError] = field(default_factory=dict)
    _builders: Builders = field(default_factory=Builders)

    @cached_property
    def samples(self) -> Samples:
        return self.suite.task.samples(self.suite.folder)

    @cached_property
    def metrics(self) -> list[Metric]:
        return [*map(metric, self.suite.task.metrics), *self.more_metrics]

    @cached_property
    def numbers(self) -> list[int]:
        """The samples that are measured and scored."""
        size = None if self.full else self.suite.task.sample_size
        return blocks.quality_sample(len(self.samples.inputs), size, self.seed)

    @cached_property
    def scoring(self) -> Scoring:
        return Scoring(
            self.metrics,
            self.samples.references,
            self.policy.confidence,
            self.seed,
            whole_set=len(self.numbers) == len(self.samples.inputs),
        )

    def served(self, variant_id: str) -> ServedVariant:
        """The variant's worker, started if need be; raises what its build or start raised."""
        if known := self._failures.get(variant_id):
            raise known
        served = self._served.get(variant_id)
        if served and served.alive:
            return served
        self._make_room_for(variant_id)
        try:
            self._served[variant_id] = self._start(self.suite.variant(variant_id))
        except (UserError, WorkerError) as failure:
            self._failures[variant_id] = failure
            raise
        return self._served[variant_id]

    def beside_baseline(self, variant_id: str) -> tuple[ServedVariant, ServedVariant]:
        """Baseline and variant, both served. Raises UserError when they do not decode alike."""
        if self.baseline_id is None:
            raise UserError(f"the suite {self.suite.name} has no baseline to compare with")
        baseline, variant = self.served(self.baseline_id), self.served(variant_id)
        theirs, ours = baseline.loaded.decoding, variant.loaded.decoding
        if theirs != ours:
            raise UserError(
                f"{variant_id} decodes with {ours} and the baseline {self.baseline_id} with "
                f"{theirs}: their speeds cannot be compared. Give both the same settings"
            )
        return baseline, variant

    def set_run(self, variant_id: str, batch: int) -> SetRun:
        """The variant's run over the quality set in batches: once, for quality and throughput."""
        if (variant_id, batch) not in self._set_runs:
            served = self.served(variant_id)
            self._set_runs[variant_id, batch] = run_set(
                served,
                self.numbers,
                batch,
                lambda share: self.said(variant_id, f"running the quality set, {share:.0%}"),
            )
        return self._set_runs[variant_id, batch]

    def model(self, backend: Backend) -> Path:
        return models.locate(self.suite.model_of(backend), self.suite.folder)

    @property
    def _cores(self) -> int:
        return len(usable_cores())

    def _make_room_for(self, variant_id: str) -> None:
        for other in [i for i in self._served if i not in (variant_id, self.baseline_id)]:
            self._served.pop(other).close()

    def _start(self, backend: Backend) -> ServedVariant:
        artifact = self._artifact(backend)
        assignment = self._assignment(backend)
        asked = self.threads_asked or self.suite.threads_of(backend)
        if asked != "best":
            self.said(backend.variant_id, "starting")
            return ServedVariant(assignment, artifact, asked)
        self.said(backend.variant_id, "searching the best number of threads")
        found = threads.search(
            lambda count: ServedVariant(assignment, artifact, count),
            self._cores if backend.cpus is None else len(backend.cpus),
            blocks.endless_draw(self.numbers, self.seed),
        )
        self.thread_searches[backend.variant_id] = found.seen_s
        return found.chosen

    def _assignment(self, backend: Backend) -> Assignment:
        return Assignment(self.address, backend, self.model(backend), self.timeout_s)

    def _artifact(self, backend: Backend) -> Artifact:
        try:
            return self._built[backend.variant_id]
        except KeyError:
            raise self._failures[backend.variant_id] from None

    @cached_property
    def _built(self) -> dict[str, Artifact]:
        """The artifacts of all selected variants, those that are missing built side by side."""
        wanted = dict.fromkeys([*([self.baseline_id] if self.baseline_id else []), *self.selected])
        built: dict[str, Artifact] = {}
        with ThreadPoolExecutor(max_workers=self._cores) as pool:
            pending = {
                variant_id: pool.submit(self._obtain, self.suite.variant(variant_id))
                for variant_id in wanted
            }
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

    def _obtain(self, backend: Backend) -> Artifact:
        model = self.model(backend)

        def build(part: Backend, folder: Path, source: Path | None) -> dict[str, Any]:
            self.said(backend.variant_id, f"building {part.default_id}")
            assignment = Assignment(self.address, part, model, self.timeout_s)
            return self._builders.build(assignment, folder, source)

        return self.artifacts.obtain(backend, model, self.suite.task.decoding, build)

    def close(self) -> None:
        for served in self._served.values():
            served.close()
        self._served.clear()
