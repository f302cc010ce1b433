"""A suite as it is at another revision: what it holds there, and the rivals of today's variants.

Its workers run the code of that revision, with the models that it has, on today's test data: both
sides get the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_infperf import errors
from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.repository.checkout import Checkout, at_revision
from pytest_infperf.repository.worktree import Commit, Worktree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_workers import SuiteWorkers
from pytest_infperf.settings import Settings
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Threads
from pytest_infperf.suite.discovery import SUITE_FILE, SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user


@dataclass
class OtherRevision:
    """Another revision of the repository, checked out when the first suite asks for it."""

    commit: Commit
    settings: Settings
    on_notice: Callable[[str], None]
    _noticed: set[str] = field(default_factory=set)

    def notice(self, text: str) -> None:
        """Says once what many tests may find."""
        if text not in self._noticed:
            self._noticed.add(text)
            self.on_notice(text)

    @cached_property
    def _tree(self) -> Worktree:
        return Worktree.add(self.commit, self.settings.cache, self.notice)

    def suite(self, configured: ConfiguredSuite, here: SuiteWorkers) -> SuiteAtRevision:
        return SuiteAtRevision(self, configured, here)

    def path(self, here: Path) -> Path:
        """The same place in the other tree. Raises UserError when git cannot check it out."""
        return self._tree.folder / here.relative_to(self.commit.top)

    def checkout(self) -> Checkout:
        return at_revision(
            self.commit.top, self._tree.folder, self.commit.name, self.settings.against_python
        )

    def close(self) -> None:
        if "_tree" in vars(self):
            self._tree.close()


@dataclass(frozen=True)
class RevisionPair:
    """Between a variant and what it was at the other revision.

    Its methods raise UserError or WorkerError when that cannot be built or started there, or when
    it reads other inputs.
    """

    other: SuiteAtRevision
    variant_id: str

    @property
    def commit(self) -> Commit:
        return self.other.commit

    def worker(self) -> VariantWorker:
        self._check()
        return self.other.workers.worker(self.variant_id)

    def set_run(self, batch: int) -> SetRun:
        self._check()
        return self.other.workers.set_run(self.variant_id, batch)

    def _check(self) -> None:
        name = f"{self.other.configured.suite.name}[{self.variant_id}]"
        try:
            if not self.other.inputs_agree(self.variant_id):
                raise UserError(
                    "its suite reads other inputs there, and two revisions are compared on the "
                    "same ones"
                )
        except (UserError, WorkerError) as failure:
            self.other.other_revision.notice(
                f"{name} cannot be measured at {self.commit}: {failure}"
            )
            raise


@dataclass(repr=False)
class SuiteAtRevision:
    other_revision: OtherRevision
    configured: ConfiguredSuite
    here: SuiteWorkers

    @property
    def commit(self) -> Commit:
        return self.other_revision.commit

    def lacks(self, variant_id: str) -> bool:
        """Whether it is a variant of today alone, with nothing to be compared with."""
        found = self._found
        return isinstance(found, messages.Surveyed) and variant_id not in _ids(found)

    def described(self) -> dict[str, Any]:
        """For the record: the revision, and what only it has."""
        described: dict[str, Any] = {"name": self.commit.name, "commit": self.commit.sha}
        if isinstance(found := self._found, messages.Surveyed):
            ids, metrics = self.configured.suite.variant_ids, self.configured.metrics
            described["variants_only_there"] = sorted(_ids(found) - {*ids})
            described["measures_only_there"] = sorted({*found.metrics} - {m.name for m in metrics})
        return described

    def revision_pair(self, variant_id: str) -> RevisionPair | None:
        """None for a variant of today alone."""
        return None if self.lacks(variant_id) else RevisionPair(self, variant_id)

    def inputs_agree(self, variant_id: str) -> bool:
        both = (workers.worker(variant_id) for workers in (self.here, self.workers))
        return len({worker.inputs_digest() for worker in both}) == 1

    @cached_property
    def workers(self) -> SuiteWorkers:
        return replace(
            self.here,
            address=self._address,
            checkout=self.other_revision.checkout(),
            blueprint=self._blueprint,
            threads=self._threads,
            wanted=[variant_id for variant_id in self.here.wanted if not self.lacks(variant_id)],
            kept=None,
        )

    def close(self) -> None:
        if "workers" in vars(self):
            self.workers.close()

    @cached_property
    def _found(self) -> messages.Surveyed | UserError | WorkerError:
        """What the suite holds there; nothing when it is not there; or why that is not known."""
        suite, commit = self.configured.suite, self.commit
        try:
            if not self.other_revision.path(suite.folder / SUITE_FILE).is_file():
                self.other_revision.notice(f"{commit} has no suite {suite.name} to compare with")
                return messages.Surveyed({}, {}, [], [])
            found = self._ask()
        except (UserError, WorkerError) as failure:
            self.other_revision.notice(f"{suite.name} cannot be measured at {commit}: {failure}")
            return failure
        for note in self._one_sided(found):
            self.other_revision.notice(f"{suite.name}: {note}")
        return found

    def _one_sided(self, found: messages.Surveyed) -> Iterator[str]:
        commit, ours = self.commit, self.configured.suite.variant_ids
        if gone := sorted(_ids(found) - {*ours}):
            yield f"{commit} has {', '.join(gone)}, which the working tree has not"
        if new := [variant_id for variant_id in self.here.wanted if variant_id not in _ids(found)]:
            yield f"{commit} has no {', '.join(new)}, so there is nothing to compare with"
        if metrics := sorted({*found.metrics} - {m.name for m in self.configured.metrics}):
            yield f"{commit} scores {', '.join(metrics)}, which the working tree does not"
        for model in found.borrowed_models:
            yield f"{commit} has no files of {model}: those of the working tree serve both"

    def _ask(self) -> messages.Surveyed:
        suite = self.configured.suite
        name = f"the suite {suite.name} at {self.commit}"
        worker = WorkerProcess(name, self.other_revision.checkout(), self.here.timeout_s)
        try:
            request = messages.Survey(
                suite=asdict(self._address),
                more_backends=[
                    naming.describe(backend) for backend in self.configured.more_variants
                ],
                models_beside=str(suite.folder),
            )
            return worker.ask(request, messages.Surveyed)
        finally:
            worker.close()

    @property
    def _address(self) -> SuiteAddress:
        address = self.configured.address
        return SuiteAddress(str(self.other_revision.path(Path(address.root))), address.module)

    def _blueprint(self, variant_id: str) -> Blueprint:
        found = self._found
        if not isinstance(found, messages.Surveyed):
            raise found
        if why := found.unable.get(variant_id):
            raise UserError(why)
        return Blueprint.from_document(found.blueprints[variant_id])

    def _threads(self, blueprint: Blueprint) -> Threads:
        """Where both sides search the best number, the one that was found today serves both."""
        asked, variant_id = (
            self.other_revision.settings.threads or blueprint.threads,
            blueprint.variant_id,
        )
        if asked == "best" == self.here.threads(self.here.blueprint(variant_id)):
            return self.here.worker(variant_id).loaded.threads
        return asked


def _ids(found: messages.Surveyed) -> set[str]:
    return {*found.blueprints, *found.unable}
