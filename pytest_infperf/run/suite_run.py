"""One suite in a run: the common data of its variants, its workers and its server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Protocol

from pytest_infperf import errors
from pytest_infperf.artifacts import models
from pytest_infperf.artifacts.blueprint import Blueprint, make_blueprint
from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.errors import UserError
from pytest_infperf.measure import blocks
from pytest_infperf.measure.quality import Scoring
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.repository.checkout import working_tree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.other_revision import OtherRevision, SuiteAtRevision
from pytest_infperf.run.suite_server import SuiteServer
from pytest_infperf.run.suite_workers import ReportProgress, SuiteWorkers
from pytest_infperf.run.text_runs import TextRuns
from pytest_infperf.settings import Settings
from pytest_infperf.suite.samples import Samples
from pytest_infperf.suite.suite import Suite
from pytest_infperf.thresholds import Policy
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user


class ClusterSetRunner(Protocol):
    """Runs quality sets on other machines, in the same batches as `SuiteRun.set_run`."""

    def run(
        self,
        configured: ConfiguredSuite,
        variant_id: str,
        threads: int,
        numbers: Sequence[int],
        batch: int,
        report_progress: Callable[[str], None],
    ) -> SetRun:
        """Return the run of a variant over these samples.

        Raises
        ------
        WorkerError
            If a part of the set cannot be run.
        """

    def close(self) -> None:
        """End the processes on other machines."""


@dataclass(repr=False)
class SuiteRun:
    """One suite while its variants are measured.

    At most three workers exist at a time: those of the baseline, of the current variant, and of the
    current variant at the other revision.
    """

    configured: ConfiguredSuite
    settings: Settings
    policy: Policy
    artifacts: ArtifactCache
    selected: Sequence[str]
    """The ids of the variants whose tests run."""
    report_progress: ReportProgress
    other_revision: OtherRevision | None = None
    """The revision with which variants are compared."""
    cluster_sets: ClusterSetRunner | None = None
    """Runs the quality sets for scores on other machines; None runs them on this host."""
    _resources: ExitStack = field(init=False, default_factory=ExitStack)

    @property
    def suite(self) -> Suite:
        return self.configured.suite

    @property
    def baseline_id(self) -> str | None:
        return self.configured.baseline_id

    @property
    def seed(self) -> int:
        return self.settings.seed

    @cached_property
    def samples(self) -> Samples:
        """The whole test data of the task."""
        return self.suite.task.samples(self.suite.folder)

    @cached_property
    def _test_numbers(self) -> list[int]:
        """The numbers of the samples to draw from, without the samples for calibration."""
        held_out = self.suite.held_out_numbers(self.samples.drawn_from)
        return [n for n in range(self.samples.drawn_from) if n not in held_out]

    @cached_property
    def numbers(self) -> list[int]:
        """The numbers of the samples that are measured and scored."""
        size = None if self.settings.full else self.suite.task.sample_size
        samples = self.samples
        drawn = blocks.quality_sample(self._test_numbers, size, self.seed)
        return [*drawn, *range(samples.drawn_from, len(samples.inputs))]

    @cached_property
    def scoring(self) -> Scoring:
        """Scores the outputs of all variants."""
        return Scoring(
            self.configured.metrics,
            self.samples.references,
            self.policy.confidence,
            self.seed,
            whole_set=len(self.numbers) == len(self._test_numbers) + self.samples.always,
            of_task=self.suite.task.scored,
        )

    def duration_s(self, number: int) -> float | None:
        """Return the duration of a sample in seconds; None for data without a duration."""
        return self.suite.task.duration_s(self.samples.inputs[number])

    def worker(self, variant_id: str) -> VariantWorker:
        """Return the worker of a variant, and start it if it does not run.

        Raises
        ------
        UserError, WorkerError
            If the variant cannot be built or its worker cannot be started.
        """
        return self.workers.worker(variant_id)

    def check_inputs(self, worker: VariantWorker) -> None:
        """Check that a worker has the same inputs as this process, which has their references.

        Raises
        ------
        UserError
            If the inputs differ.
        """
        if worker.inputs_digest() != self._inputs_digest:
            raise UserError(
                f"the data of the suite {self.suite.name} differs from process to process, so "
                "outputs cannot be scored: the data function must return the same inputs in the "
                "same order at each call; use a fixed seed, and no sets"
            )

    @cached_property
    def _inputs_digest(self) -> str:
        return self.samples.inputs_digest()

    def beside_baseline(self, variant_id: str) -> tuple[VariantWorker, VariantWorker]:
        """Return the workers of the baseline and of a variant.

        Raises
        ------
        UserError
            If there is no baseline, or the two decode with different settings.
        """
        if self.baseline_id is None:
            raise UserError(f"the suite {self.suite.name} has no baseline to compare with")
        baseline, variant = self.worker(self.baseline_id), self.worker(variant_id)
        settings = dict(self.suite.task.decoding)
        ids = (self.baseline_id, variant_id)
        if all(self.suite.variant(name).is_remote for name in ids):
            settings = {}  # two addresses are compared as their users see them
        for name, worker in zip(ids, (baseline, variant), strict=True):
            if settings and not worker.loaded.decoding:
                raise UserError(
                    f"{name} does not say how it decodes, so it cannot be compared: the task has "
                    f"{settings}. Set the attribute `decoding` of its runner, or of the object "
                    "that a Function's load function returns, to the settings in use; for an "
                    "endpoint, use Endpoint(..., decoding={...})"
                )
        if variant.loaded.decoding != baseline.loaded.decoding:
            raise UserError(
                f"{variant_id} decodes with {variant.loaded.decoding} and the baseline "
                f"{self.baseline_id} with {baseline.loaded.decoding}: their speeds cannot be "
                "compared. Give both the same settings"
            )
        return baseline, variant

    def set_run(self, variant_id: str, batch: int) -> SetRun:
        """Return a variant's run over the quality set, used for throughput and quality."""
        return self.workers.set_run(variant_id, batch)

    def scored_set(self, variant_id: str, batch: int) -> SetRun:
        """Return the run whose outputs are scored, from this host or other machines.

        Raises
        ------
        WorkerError
            If a part of the set cannot be run.
        """
        if self.cluster_sets is None or self.suite.variant(variant_id).is_remote:
            return self.set_run(variant_id, batch)
        return self.cluster_sets.run(
            self.configured,
            variant_id,
            self.worker(variant_id).loaded.threads,
            self.numbers,
            batch,
            lambda text: self.report_progress(variant_id, text),
        )

    @cached_property
    def text_runs(self) -> TextRuns | None:
        """The runs over the text for perplexity; None if the task has no text."""
        if self.suite.task.perplexity is None:
            return None
        runs = TextRuns(
            self.suite.task.perplexity,
            self.baseline_id,
            self.settings.full,
            self.seed,
            self.worker,
            lambda name: self.workers.started(name, self.worker(name).loaded.threads),
            self.report_progress,
        )
        return self._resources.enter_context(closing(runs))

    @cached_property
    def workers(self) -> SuiteWorkers:
        """The workers of the working tree."""
        workers = SuiteWorkers(
            address=self.configured.address,
            checkout=working_tree(self.settings.root),
            data=self.suite.folder,
            numbers=self.numbers,
            seed=self.seed,
            timeout_s=self.settings.timeout_s,
            artifacts=self.artifacts,
            blueprint=self._blueprint,
            threads=lambda blueprint: self.settings.threads or blueprint.threads,
            wanted=self.selected,
            kept=self.baseline_id,
            report_progress=self.report_progress,
        )
        return self._resources.enter_context(closing(workers))

    @cached_property
    def server(self) -> SuiteServer:
        """The server of the variant that is measured."""
        server = SuiteServer(
            self.suite,
            self.configured.address,
            working_tree(self.settings.root),
            self.settings.timeout_s,
            self.workers.artifact,
            self._blueprint,
        )
        return self._resources.enter_context(closing(server))

    @cached_property
    def at_revision(self) -> SuiteAtRevision | None:
        """This suite at the other revision; None without another revision."""
        if not self.other_revision:
            return None
        suite = self.other_revision.suite(self.configured, self.workers)
        return self._resources.enter_context(closing(suite))

    @cached_property
    def _blueprint(self) -> Callable[[str], Blueprint]:
        def blueprint(variant_id: str) -> Blueprint:
            backend = self.suite.variant(variant_id)
            name, folder = self.suite.model_of(backend), self.suite.folder
            model = None if name is None else models.locate(name, folder, backend.model_files)
            return make_blueprint(self.suite, backend, model)

        return cache(blueprint)

    def close(self) -> None:
        """End the workers and the server."""
        self._resources.close()
