"""One suite in a run: what its variants share, and the workers that serve them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol, TypeVar

from pytest_infperf import errors
from pytest_infperf.artifacts import models
from pytest_infperf.artifacts.blueprint import Blueprint, make_blueprint
from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.errors import UserError
from pytest_infperf.measure import blocks
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.sweep import SweepPoint
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.repository.checkout import working_tree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.other_revision import OtherRevision, SuiteAtRevision
from pytest_infperf.run.suite_server import SuiteServer
from pytest_infperf.run.suite_workers import ReportProgress, SuiteWorkers
from pytest_infperf.settings import Settings
from pytest_infperf.suite.loads import Load
from pytest_infperf.suite.suite import Suite, Sweep
from pytest_infperf.suite.task import Samples
from pytest_infperf.thresholds import Policy
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user

Named = TypeVar("Named", Load, Sweep)


class RemoteSetRunner(Protocol):
    """Runs quality sets on other machines, in the very batches of `set_run`."""

    def run(
        self,
        configured: ConfiguredSuite,
        variant_id: str,
        threads: int,
        numbers: Sequence[int],
        batch: int,
        report_progress: Callable[[str], None],
    ) -> SetRun: ...

    def close(self) -> None: ...


@dataclass(repr=False)
class SuiteRun:
    """Keeps few workers: the baseline's, that of the variant whose turn it is, and its rival's."""

    configured: ConfiguredSuite
    settings: Settings
    policy: Policy
    artifacts: ArtifactCache
    selected: Sequence[str]
    """The variants whose tests run."""
    report_progress: ReportProgress
    other_revision: OtherRevision | None = None
    """Another revision to measure against."""
    shared_sets: RemoteSetRunner | None = None
    """Who runs the quality sets that are scored, if that is not this host."""

    @property
    def suite(self) -> Suite:
        return self.configured.suite

    @property
    def baseline_id(self) -> str | None:
        return self.configured.baseline_id

    @property
    def seed(self) -> int:
        return self.settings.seed

    @property
    def thread_searches(self) -> dict[str, dict[int, float]]:
        return self._workers.thread_searches

    @cached_property
    def samples(self) -> Samples:
        return self.suite.task.samples(self.suite.folder)

    @cached_property
    def numbers(self) -> list[int]:
        """The samples that are measured and scored."""
        size = None if self.settings.full else self.suite.task.sample_size
        return blocks.quality_sample(len(self.samples.inputs), size, self.seed)

    @cached_property
    def scoring(self) -> Scoring:
        return Scoring(
            self.configured.metrics,
            self.samples.references,
            self.policy.confidence,
            self.seed,
            whole_set=len(self.numbers) == len(self.samples.inputs),
        )

    def worker(self, variant_id: str) -> VariantWorker:
        """The variant's worker, started if need be; raises what its build or start raised."""
        return self._workers.worker(variant_id)

    def beside_baseline(self, variant_id: str) -> tuple[VariantWorker, VariantWorker]:
        """Baseline and variant, both served. Raises UserError when they do not decode alike."""
        if self.baseline_id is None:
            raise UserError(f"the suite {self.suite.name} has no baseline to compare with")
        baseline, variant = self.worker(self.baseline_id), self.worker(variant_id)
        theirs, ours = baseline.loaded.decoding, variant.loaded.decoding
        if theirs != ours:
            raise UserError(
                f"{variant_id} decodes with {ours} and the baseline {self.baseline_id} with "
                f"{theirs}: their speeds cannot be compared. Give both the same settings"
            )
        return baseline, variant

    def set_run(self, variant_id: str, batch: int) -> SetRun:
        """The variant's run over the quality set in batches: once, for quality and throughput."""
        return self._workers.set_run(variant_id, batch)

    def scored_set(self, variant_id: str, batch: int) -> SetRun:
        """The run whose outputs are scored. Raises WorkerError when a part could not be done."""
        if self.shared_sets is None:
            return self.set_run(variant_id, batch)
        return self.shared_sets.run(
            self.configured,
            variant_id,
            self.worker(variant_id).loaded.threads,
            self.numbers,
            batch,
            lambda what: self.report_progress(variant_id, what),
        )

    def duration_s(self, number: int) -> float | None:
        return self.suite.task.duration_s(self.samples.inputs[number])

    def load(self, name: str) -> Load:
        """Raises UserError when the suite has none of it."""
        loads = {load.name: load for load in self.suite.loads}
        return self._named(loads, name, "load", "loads=[ClosedLoop(4)]")

    def sweep(self, parameter: str) -> Sweep:
        """Raises UserError when the suite has none of it."""
        sweeps: dict[str, Sweep] = {sweep.parameter: sweep for sweep in self.suite.sweeps}
        return self._named(sweeps, parameter, "sweep of", "sweeps=[Sweep(...)]")

    def _named(self, known: Mapping[str, Named], name: str, what: str, way: str) -> Named:
        if name in known:
            return known[name]
        raise UserError(
            f"the suite {self.suite.name} has no {what} {name!r}, only "
            f"{', '.join(known) or 'none'}: Suite({way})"
        )

    @cached_property
    def server(self) -> SuiteServer:
        """Of the variant whose turn it is."""
        return SuiteServer(
            self.suite,
            self.configured.address,
            working_tree(self.settings.root),
            self.settings.timeout_s,
            self._workers.artifact,
            self._blueprints,
        )

    @contextmanager
    def sweep_points(self, sweep: Sweep, variant_id: str) -> Iterator[list[SweepPoint]]:
        """Each value with the worker that serves it; a sweep of threads has one for each."""
        if sweep.parameter != "threads":
            worker = self.worker(variant_id)
            yield [SweepPoint(sweep, value, worker) for value in sweep.values]
            return
        with ExitStack() as started:
            yield [
                SweepPoint(
                    sweep,
                    value,
                    started.enter_context(closing(self._workers.started(variant_id, value))),
                )
                for value in sweep.values
            ]

    @cached_property
    def other(self) -> SuiteAtRevision | None:
        """This suite at the other revision; None when there is no other to measure against."""
        return (
            self.other_revision.suite(self.configured, self._workers)
            if self.other_revision
            else None
        )

    @cached_property
    def _workers(self) -> SuiteWorkers:
        return SuiteWorkers(
            address=self.configured.address,
            checkout=working_tree(self.settings.root),
            data=self.suite.folder,
            numbers=self.numbers,
            seed=self.seed,
            timeout_s=self.settings.timeout_s,
            artifacts=self.artifacts,
            blueprint=self._blueprints,
            threads=lambda blueprint: self.settings.threads or blueprint.threads,
            wanted=self.selected,
            kept=self.baseline_id,
            report_progress=self.report_progress,
        )

    @cached_property
    def _blueprints(self) -> Callable[[str], Blueprint]:
        return cache(self._blueprint)

    def _blueprint(self, variant_id: str) -> Blueprint:
        backend = self.suite.variant(variant_id)
        model = models.locate(self.suite.model_of(backend), self.suite.folder)
        return make_blueprint(self.suite, backend, model)

    def close(self) -> None:
        if "server" in vars(self):
            self.server.close()
        self._workers.close()
        if self.other_revision and "there" in vars(self) and self.other:
            self.other.close()
