"""One run: the suites that are measured, and the records that they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_infperf import errors
from pytest_infperf.artifacts import ArtifactCache
from pytest_infperf.discovery import SuiteAddress
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.host.cpu import instruction_sets
from pytest_infperf.host.fingerprint import fingerprint, host_names
from pytest_infperf.measure.catalogue import Catalogue, quality_kind
from pytest_infperf.metrics import metric
from pytest_infperf.record import Record
from pytest_infperf.settings import Settings
from pytest_infperf.suite import Metric, Suite
from pytest_infperf.suite_run import SuiteRun
from pytest_infperf.thresholds import Thresholds
from pytest_infperf.variant import TimesTable, Variant

__tracebackhide__ = errors.meant_for_the_user


@dataclass(frozen=True)
class CollectedSuite:
    """A suite with what hooks add to it, and the variants whose tests were selected."""

    suite: Suite
    address: SuiteAddress
    baseline_id: str | None
    more_metrics: tuple[Metric, ...] = ()

    @property
    def measuring_order(self) -> list[str]:
        """The ids of all variants, the baseline's first."""
        return sorted(self.suite.variant_ids, key=lambda variant_id: variant_id != self.baseline_id)

    @property
    def catalogue(self) -> Catalogue:
        metrics = [*map(metric, self.suite.task.metrics), *self.more_metrics]
        return Catalogue(tuple(quality_kind(m.name, m.unit, m.higher_is_better) for m in metrics))


@dataclass
class Run:
    settings: Settings
    thresholds: Thresholds
    phase: Callable[[str, str, str], None]
    """Hears the suite, the variant, and what is being done with it."""
    notice: Callable[[str], None]
    """Hears what the user should know and that needs no stop."""
    more_host_facts: dict[str, Any] = field(default_factory=dict)
    selected: dict[str, list[str]] = field(default_factory=dict)
    """By suite, the variants whose tests were selected."""
    published: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """What other tools write to their files about a suite's variant: kept up with its record."""
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    _suite: SuiteRun | None = None

    def __post_init__(self) -> None:
        self.host = {**fingerprint(LIBRARIES), **self.more_host_facts}
        self._artifacts = ArtifactCache(self.settings.cache, instruction_sets(), self.notice)

    def variant(self, collected: CollectedSuite, variant_id: str, table: TimesTable) -> Variant:
        """Serve a variant; of another suite than before, the workers of that one end.

        Raises UserError or WorkerError when the variant cannot be built or started; the record
        says so.
        """
        suite_run = self._enter(collected)
        record = self.record(collected.suite.name, variant_id)
        try:
            served = suite_run.served(variant_id)
        except (UserError, WorkerError) as failure:
            self.note_error(record, failure)
            raise
        policy = suite_run.policy
        record.settings.update(
            threads=served.loaded.threads,
            decoding=served.loaded.decoding,
            cpus=served.backend.cpus,
            model=collected.suite.model_of(served.backend),
            recipe=served.backend.recipe(),
            baseline=variant_id == collected.baseline_id,
            baseline_id=collected.baseline_id,
            confidence=policy.confidence,
            samples=len(suite_run.numbers),
            seed=self.settings.seed,
        )
        record.evidence.update(served.artifact.evidence)
        if seen := suite_run.thread_searches.get(variant_id):
            record.evidence["thread_search_s"] = {str(count): s for count, s in seen.items()}
        if doubts := served.backend.doubts(served.artifact.evidence):
            record.evidence["doubts"] = doubts
        self.published.setdefault((record.suite, record.variant), []).append(table.extra_info)
        return Variant(
            suite_run,
            served,
            record,
            self.thresholds.gates_for(
                collected.suite.name,
                variant_id,
                collected.catalogue,
                host_names(self.host),
                collected.baseline_id,
            ),
            self.settings.budget_s or policy.budget_s,
            table,
        )

    def record(self, suite: str, variant_id: str) -> Record:
        return self.records.setdefault((suite, variant_id), Record(suite, variant_id))

    def note_error(self, record: Record, failure: Exception) -> None:
        if str(failure) not in record.errors:
            record.errors.append(str(failure))

    def close(self) -> None:
        if self._suite:
            self._suite.close()
            self._suite = None

    def _enter(self, collected: CollectedSuite) -> SuiteRun:
        name = collected.suite.name
        if self._suite and self._suite.suite.name == name:
            return self._suite
        self.close()
        self._suite = SuiteRun(
            suite=collected.suite,
            address=collected.address,
            baseline_id=collected.baseline_id,
            policy=self.thresholds.policy(name),
            artifacts=self._artifacts,
            seed=self.settings.seed,
            full=self.settings.full,
            threads_asked=self.settings.threads,
            timeout_s=self.settings.timeout_s,
            selected=self.selected.get(name, []),
            said=lambda variant, what: self.phase(name, variant, what),
            more_metrics=collected.more_metrics,
        )
        return self._suite


LIBRARIES = (
    "pytest-infperf", "pytest", "pytest-benchmark", "torch", "transformers", "optimum",
    "optimum-onnx", "onnx", "onnxruntime", "ctranslate2", "openvino", "sacrebleu",
    "sentencepiece", "tokenizers", "numpy", "scipy",
)  # fmt: skip
"""Whose versions the host's fingerprint holds."""
