"""One run: the suites that are measured, and their records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pytest_infperf import errors
from pytest_infperf.artifacts import models
from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.artifacts.cache import ArtifactCache
from pytest_infperf.cost.billing import billing
from pytest_infperf.errors import HardwareMissing, UserError, WorkerError
from pytest_infperf.gates.verdicts import Try, VariantVerdicts
from pytest_infperf.history.past import Past
from pytest_infperf.host import cgroup
from pytest_infperf.host.fingerprint import fingerprint, host_names
from pytest_infperf.host.interpreter import interpreter_at
from pytest_infperf.records.record import Record
from pytest_infperf.repository import worktree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.context import VariantContext
from pytest_infperf.run.host_noise import HostNoise
from pytest_infperf.run.measurements.latency import TimesTable
from pytest_infperf.run.needs import NO_PRICE, NO_PRICE_OF_ADDRESS, AvailableNeeds
from pytest_infperf.run.other_revision import OtherRevision, RevisionPair
from pytest_infperf.run.purse import Purse
from pytest_infperf.run.suite_run import ClusterSetRunner, SuiteRun
from pytest_infperf.run.variant import Variant
from pytest_infperf.settings import Settings
from pytest_infperf.suite.backend import Backend, RemoteBackend
from pytest_infperf.thresholds import Thresholds
from pytest_infperf.thresholds.gate import Gate
from pytest_infperf.worker import clocks
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user


@dataclass
class Run:
    """A measuring run, the value of the fixture `infperf`.

    Attributes
    ----------
    settings : Settings
        The settings of the run, from the command line and the ini file.
    thresholds : Thresholds
        The limits of thresholds.toml.
    host : dict
        The fingerprint of this host: CPU, cores, memory, libraries, instance type, price.
    purse : Purse
        The unused measuring time of the tests.
    records : dict of (str, str) to Record
        The records so far, by suite and variant.
    """

    settings: Settings
    thresholds: Thresholds
    phase: Callable[[str, str, str], None]
    """Callback for progress: the suite, the variant, and the current activity."""
    notice: Callable[[str], None]
    """Callback for notices that do not stop the run."""
    more_host_facts: dict[str, Any] = field(default_factory=dict)
    """Facts about the host that plugins add."""
    cluster_sets: ClusterSetRunner | None = None
    """Runs the quality sets for scores on other machines; None runs them on this host."""
    selected: dict[str, list[str]] = field(default_factory=dict)
    """The ids of the variants whose tests were selected, by suite."""
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    host: dict[str, Any] = field(init=False)
    purse: Purse = field(init=False, default_factory=Purse)
    _suite: SuiteRun | None = field(init=False, default=None)
    _verdicts: dict[tuple[str, str], VariantVerdicts] = field(init=False, default_factory=dict)
    _noticed: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        price = billing(
            ask_metadata=self.settings.imds,
            price_source=self.settings.prices,
            root=self.settings.root,
            notice=self.notice,
        )
        self.host = {**fingerprint(LIBRARIES), **price, **self.more_host_facts}
        self._past = Past(
            self.settings.storage,
            self.host,
            lambda reason: self.notice_once(f"the history is read without {reason}"),
        )
        self._noise = HostNoise(self.settings.cache, self.host)
        self._artifacts = ArtifactCache(self.settings.cache, self.notice)
        self._other_revision: OtherRevision | None = None
        if self.settings.against:
            commit = worktree.resolve(self.settings.root, self.settings.against)
            self._other_revision = OtherRevision(commit, self.settings, self.notice)

    @property
    def against(self) -> dict[str, Any] | None:
        """Name and commit of the revision that is compared with the working tree."""
        commit = self._other_revision.commit if self._other_revision else None
        return {"name": commit.name, "commit": commit.sha} if commit else None

    def variant(
        self, configured: ConfiguredSuite, variant_id: str, table: TimesTable, test: str
    ) -> Variant:
        """Start the worker of a variant, and return the variant.

        The workers of a suite end when a variant of another suite is started.

        Parameters
        ----------
        configured : ConfiguredSuite
            The suite.
        variant_id : str
            The id of the variant.
        table : TimesTable
            The table in which latencies are shown.
        test : str
            The node id of the test; another call with the same id is another try of the test.

        Raises
        ------
        HardwareMissing
            If the host lacks hardware that the variant needs; the record names it.
        UserError, WorkerError
            If the variant cannot be built or started; the record has the reason.
        """
        suite_run = self._enter(configured)
        verdicts = self.verdicts_on(configured.suite.name, variant_id)
        record, attempt = verdicts.record, verdicts.begin(test)
        if lacking := configured.suite.variant(variant_id).missing_hardware():
            record.evidence.skipped = lacking
            raise HardwareMissing(lacking)
        with _noting_errors(attempt):
            worker = suite_run.worker(variant_id)
            suite_run.check_inputs(worker)
        self._describe(record, suite_run, worker)
        pair = self._revision_pair(record, suite_run)
        verdicts.gates = self._gates(suite_run, variant_id, pair)
        context = VariantContext(
            suite_run,
            variant_id,
            pair,
            record,
            attempt,
            verdicts.gates,
            self.settings.budget_s or self.purse.scale * suite_run.policy.budget_s,
            self.purse,
            self._noise,
            self.host.get("usd_per_hour"),
            partial(self._past.values, record.suite, variant_id),
        )
        return Variant(context, table)

    def _describe(self, record: Record, suite_run: SuiteRun, worker: VariantWorker) -> None:
        """Enter the settings of the variant and the evidence of its build in the record."""
        suite, backend = suite_run.suite, suite_run.suite.variant(record.variant)
        blueprint = suite_run.workers.blueprint(record.variant)
        model = blueprint.model
        record.settings = replace(
            record.settings,
            threads=None if backend.is_remote else worker.loaded.threads,
            decoding=worker.loaded.decoding,
            cpus=backend.cpus,
            model=suite.model_of(backend),
            model_commit=models.hub_commit(Path(model)) if model else None,
            recipe=backend.recipe(),
            python=backend.interpreter,
            libraries=_libraries(blueprint, backend),
            baseline=record.variant == suite_run.baseline_id,
            baseline_id=suite_run.baseline_id,
            confidence=suite_run.policy.confidence,
            samples=len(suite_run.numbers),
            seed=self.settings.seed,
        )
        built = worker.artifact.evidence
        record.evidence.more.update(built)
        if times_s := suite_run.workers.thread_searches.get(record.variant):
            record.evidence.thread_search_s = {str(count): s for count, s in times_s.items()}
        if doubts := backend.doubts(built):
            record.evidence.doubts = doubts
        doubts = [cgroup.thread_doubt(worker.loaded.threads, backend.cpus)]
        if clocks.host_busy_ns() is None:
            doubts.append(_NO_CPU_TIMES)
        record.evidence.host_doubts = list(filter(None, doubts)) or None
        for doubt in record.evidence.host_doubts or ():
            self.notice_once(doubt)

    def _revision_pair(self, record: Record, suite_run: SuiteRun) -> RevisionPair | None:
        suite = suite_run.at_revision
        if not suite:
            return None
        pair = suite.pair(record.variant)
        record.evidence.against = suite.described(only_here=pair is None)
        return pair

    def _gates(self, suite_run: SuiteRun, variant_id: str, pair: RevisionPair | None) -> list[Gate]:
        configured = suite_run.configured
        needs = AvailableNeeds(
            has_other_revision=pair is not None,
            no_price=self._no_price(configured.suite.variant(variant_id)),
            past=partial(self._past.values, configured.suite.name, variant_id),
            notice=self.notice_once,
        )
        gates = self.thresholds.gates_for(
            configured.suite.name,
            variant_id,
            configured.catalogue,
            host_names(self.host),
            configured.baseline_id,
            lacks=needs.lacks,
            usual=configured.usual_limits,
        )
        return [replace(gate, improvement=configured.improvement) for gate in gates]

    def _no_price(self, backend: Backend) -> str:
        """Return a notice if the price of the host or endpoint is not known, else an empty text."""
        if isinstance(backend, RemoteBackend):
            known = backend.usd_per_hour is not None
            return "" if known else NO_PRICE_OF_ADDRESS.format(variant=backend.variant_id)
        return "" if "usd_per_hour" in self.host else NO_PRICE

    def record(self, suite: str, variant_id: str) -> Record:
        """Return the record of a variant, which is created at the first call."""
        return self.records.setdefault((suite, variant_id), Record(suite, variant_id))

    def verdicts_on(self, suite: str, variant_id: str) -> VariantVerdicts:
        """Return the verdicts of the tests on a variant, which its record shows."""
        if (suite, variant_id) not in self._verdicts:
            self._verdicts[suite, variant_id] = VariantVerdicts(self.record(suite, variant_id))
        return self._verdicts[suite, variant_id]

    def notice_once(self, text: str) -> None:
        """Report a notice, but only once."""
        if text not in self._noticed:
            self._noticed.add(text)
            self.notice(text)

    def _enter(self, configured: ConfiguredSuite) -> SuiteRun:
        """Return the run of a suite, and end the run of another suite."""
        name = configured.suite.name
        if self._suite and self._suite.configured is configured:
            return self._suite
        self._leave()
        self._suite = SuiteRun(
            configured,
            self.settings,
            self.thresholds.policy(name),
            self._artifacts,
            selected=[i for i in self.selected.get(name, []) if i in configured.suite.variant_ids],
            report_progress=lambda variant_id, text: self.phase(name, variant_id, text),
            other_revision=self._other_revision,
            cluster_sets=self.cluster_sets,
        )
        return self._suite

    def _leave(self) -> None:
        if self._suite:
            self._suite.close()
            self._suite = None

    def close(self) -> None:
        """End all workers and servers, and remove the other revision's working tree."""
        self._leave()
        if self._other_revision:
            self._other_revision.close()
        if self.cluster_sets:
            self.cluster_sets.close()


def _libraries(blueprint: Blueprint, backend: Backend) -> dict[str, str] | None:
    """Return the versions in the environment of a variant; None for that of the run."""
    if blueprint.python is None:
        return None
    distributions = (*LIBRARIES, *backend.requires, *backend.optional)
    return interpreter_at(blueprint.python).versions(distributions)


@contextmanager
def _noting_errors(attempt: Try) -> Iterator[None]:
    try:
        yield
    except (UserError, WorkerError) as failure:
        attempt.note_error(failure)
        raise


_NO_CPU_TIMES = (
    "the CPU time of other processes is not known here (/proc/stat does not have it): disturbed "
    "blocks are not detected and not measured again"
)
LIBRARIES = (
    "pytest-infperf", "pytest", "pytest-benchmark", "torch", "transformers", "optimum",
    "optimum-onnx", "onnx", "onnxruntime", "ctranslate2", "openvino", "sacrebleu",
    "sentencepiece", "tokenizers", "numpy", "scipy", "scikit-learn", "xgboost", "xgboost-cpu",
    "lightgbm",
)  # fmt: skip
"""The distributions whose versions are in the fingerprint of the host."""
