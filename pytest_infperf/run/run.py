"""One run: the suites that are measured, and the records that they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pytest_infperf import errors
from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.cost.billing import billing
from pytest_infperf.errors import HardwareMissing, UserError, WorkerError
from pytest_infperf.history.past import Past
from pytest_infperf.host.fingerprint import fingerprint, host_names
from pytest_infperf.records.catalogue import Need
from pytest_infperf.records.record import Record
from pytest_infperf.repository import worktree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.other_revision import OtherRevision
from pytest_infperf.run.suite_run import RemoteSetRunner, SuiteRun
from pytest_infperf.run.variant import TimesTable, Variant
from pytest_infperf.settings import Settings
from pytest_infperf.thresholds import Thresholds

__tracebackhide__ = errors.meant_for_the_user


@dataclass
class Run:
    settings: Settings
    thresholds: Thresholds
    phase: Callable[[str, str, str], None]
    """Hears the suite, the variant, and what is being done with it."""
    notice: Callable[[str], None]
    """Hears what the user should know and that needs no stop."""
    more_host_facts: dict[str, Any] = field(default_factory=dict)
    shared_sets: RemoteSetRunner | None = None
    selected: dict[str, list[str]] = field(default_factory=dict)
    """By suite, the variants whose tests were selected."""
    published: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """What other tools write to their files about a suite's variant: kept up with its record."""
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    _suite: SuiteRun | None = None
    _noticed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        price = billing(
            ask_metadata=self.settings.imds,
            price_source=self.settings.prices,
            root=self.settings.root,
            notice=self.notice,
        )
        self.host = {**fingerprint(LIBRARIES), **price, **self.more_host_facts}
        self._past = Past(self.settings.storage, self.host)
        self._artifacts = ArtifactCache(self.settings.cache, self.notice)
        self._other_revision: OtherRevision | None = None
        if self.settings.against:
            commit = worktree.resolve(self.settings.root, self.settings.against)
            self._other_revision = OtherRevision(commit, self.settings, self.notice)

    @property
    def against(self) -> dict[str, Any] | None:
        """The revision that is measured beside the working tree, for the record."""
        commit = self._other_revision.commit if self._other_revision else None
        return {"name": commit.name, "commit": commit.sha} if commit else None

    def variant(self, configured: ConfiguredSuite, variant_id: str, table: TimesTable) -> Variant:
        """Serve a variant; of another suite than before, the workers of that one end.

        Raises HardwareMissing where the host lacks what the variant runs on, and UserError or
        WorkerError when it cannot be built or started; the record says so.
        """
        suite_run = self._enter(configured)
        record = self.record(configured.suite.name, variant_id)
        policy, suite = suite_run.policy, configured.suite
        backend = suite.variant(variant_id)
        if lacking := backend.missing_hardware():
            record.evidence["skipped"] = lacking
            raise HardwareMissing(lacking)
        try:
            worker = suite_run.worker(variant_id)
        except (UserError, WorkerError) as failure:
            self.note_error(record, failure)
            raise
        record.settings.update(
            threads=worker.loaded.threads,
            decoding=worker.loaded.decoding,
            cpus=backend.cpus,
            model=suite.model_of(backend),
            recipe=backend.recipe(),
            baseline=variant_id == configured.baseline_id,
            baseline_id=configured.baseline_id,
            confidence=policy.confidence,
            samples=len(suite_run.numbers),
            seed=self.settings.seed,
        )
        record.evidence.update(worker.artifact.evidence)
        if seen := suite_run.thread_searches.get(variant_id):
            record.evidence["thread_search_s"] = {str(count): s for count, s in seen.items()}
        if doubts := backend.doubts(worker.artifact.evidence):
            record.evidence["doubts"] = doubts
        revision_pair = None
        if other := suite_run.other:
            revision_pair = other.revision_pair(variant_id)
            record.evidence["against"] = {**other.described(), "only_here": revision_pair is None}
        self.published.setdefault((record.suite, record.variant), []).append(table.extra_info)
        past = partial(self._past.values, record.suite, variant_id)

        def lacks(need: Need) -> bool:
            if need == "another revision":
                return revision_pair is None
            if need == "a history":
                return not past("latency_p50")
            if need == "a price" and "usd_per_hour" not in self.host:
                self._notice_once(
                    "cost_per_million is not judged: what this host costs is not known. Name its "
                    "type with INFPERF_INSTANCE, and a table that has it with --infperf-prices"
                )
                return True
            return False

        return Variant(
            suite_run,
            worker,
            revision_pair,
            record,
            self.thresholds.gates_for(
                configured.suite.name,
                variant_id,
                configured.catalogue,
                host_names(self.host),
                configured.baseline_id,
                lacks=lacks,
            ),
            self.settings.budget_s or policy.budget_s,
            table,
            self.host.get("usd_per_hour"),
            past,
        )

    def record(self, suite: str, variant_id: str) -> Record:
        return self.records.setdefault((suite, variant_id), Record(suite, variant_id))

    def note_error(self, record: Record, failure: Exception) -> None:
        if str(failure) not in record.errors:
            record.errors.append(str(failure))

    def _notice_once(self, text: str) -> None:
        if text not in self._noticed:
            self._noticed.add(text)
            self.notice(text)

    def _leave(self) -> None:
        if self._suite:
            self._suite.close()
            self._suite = None

    def close(self) -> None:
        self._leave()
        if self._other_revision:
            self._other_revision.close()
        if self.shared_sets:
            self.shared_sets.close()

    def _enter(self, configured: ConfiguredSuite) -> SuiteRun:
        name = configured.suite.name
        if self._suite and self._suite.configured is configured:
            return self._suite
        self._leave()
        self._suite = SuiteRun(
            configured,
            self.settings,
            self.thresholds.policy(name),
            self._artifacts,
            selected=self.selected.get(name, []),
            report_progress=lambda variant, what: self.phase(name, variant, what),
            other_revision=self._other_revision,
            shared_sets=self.shared_sets,
        )
        return self._suite


LIBRARIES = (
    "pytest-infperf", "pytest", "pytest-benchmark", "torch", "transformers", "optimum",
    "optimum-onnx", "onnx", "onnxruntime", "ctranslate2", "openvino", "sacrebleu",
    "sentencepiece", "tokenizers", "numpy", "scipy",
)  # fmt: skip
"""Whose versions the host's fingerprint holds."""
