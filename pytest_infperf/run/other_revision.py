"""A suite at another revision, for comparison with the variants of the working tree.

The workers of that revision run its code and models on the test data of the working tree, so that
both sides get the same inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pytest_infperf import errors
from pytest_infperf.artifacts.blueprint import Blueprint
from pytest_infperf.errors import UserError, WorkerError
from pytest_infperf.measure.throughput import SetRun
from pytest_infperf.records.evidence import AgainstEvidence
from pytest_infperf.repository import git
from pytest_infperf.repository.checkout import Checkout, at_revision, position_below
from pytest_infperf.repository.worktree import Commit, Worktree
from pytest_infperf.run.configured import ConfiguredSuite
from pytest_infperf.run.suite_workers import SuiteWorkers
from pytest_infperf.settings import Settings
from pytest_infperf.suite import naming
from pytest_infperf.suite.backend import Threads
from pytest_infperf.suite.discovery import SuiteAddress
from pytest_infperf.worker import messages
from pytest_infperf.worker.parent import WorkerProcess
from pytest_infperf.worker.variant_worker import VariantWorker

__tracebackhide__ = errors.meant_for_the_user


@dataclass
class OtherRevision:
    """Another revision of the repository, checked out on first use."""

    commit: Commit
    settings: Settings
    on_notice: Callable[[str], None]
    """Callback for notices that do not stop the run."""
    _noticed: set[str] = field(init=False, default_factory=set)
    _resources: ExitStack = field(init=False, default_factory=ExitStack)

    def notice(self, text: str) -> None:
        """Report a notice, but only once."""
        if text not in self._noticed:
            self._noticed.add(text)
            self.on_notice(text)

    def suite(self, configured: ConfiguredSuite, workers: SuiteWorkers) -> SuiteAtRevision:
        """Return a suite at this revision.

        Parameters
        ----------
        configured : ConfiguredSuite
            The suite of the working tree.
        workers : SuiteWorkers
            The workers of the working tree.
        """
        return SuiteAtRevision(self, configured, workers)

    def path(self, path: Path) -> Path:
        """Return the path at this revision that corresponds to a path of the working tree.

        Raises
        ------
        UserError
            If the path is outside the repository or in a submodule that is missing at the
            revision, or if git cannot check the revision out.
        """
        position = position_below(self.commit.top, path)
        if position is None:
            raise UserError(
                f"{path} is outside the repository {self.commit.top}, so it has no other revision: "
                "move it into the repository"
            )
        for submodule, reason in self._tree.missing.items():
            if position.is_relative_to(submodule):
                raise UserError(reason)
        return self._tree.folder / position

    def checkout(self) -> Checkout:
        """Return the checkout for workers of this revision.

        Raises
        ------
        UserError
            If git cannot check the revision out.
        """
        return at_revision(
            self.commit.top, self._tree.folder, self.commit.name, self.settings.against_python
        )

    @cached_property
    def _tree(self) -> Worktree:
        tree = Worktree.add(self.commit, self.settings.cache, self.notice)
        return self._resources.enter_context(closing(tree))

    def close(self) -> None:
        """Remove the checked out tree."""
        self._resources.close()


@dataclass(frozen=True)
class RevisionPair:
    """A variant of the working tree and the same variant at the other revision.

    The methods raise UserError or WorkerError if the variant cannot be built or started at the
    other revision, or if it reads other inputs there.
    """

    suite: SuiteAtRevision
    variant_id: str

    @property
    def commit(self) -> Commit:
        return self.suite.commit

    def worker(self) -> VariantWorker:
        """Return the worker of the variant at the other revision."""
        self._check()
        return self.suite.workers.worker(self.variant_id)

    def set_run(self, batch: int) -> SetRun:
        """Return the run of the quality set by the variant at the other revision."""
        self._check()
        return self.suite.workers.set_run(self.variant_id, batch)

    def _check(self) -> None:
        try:
            if self.suite.configured.suite.variant(self.variant_id).is_remote:
                raise UserError(
                    "it is an endpoint, which is the same at both revisions: compare two "
                    "endpoints, one of them as the baseline"
                )
            self.suite.check_known()
            if not self.suite.inputs_agree(self.variant_id):
                raise UserError(
                    "its suite reads other inputs there; revisions are compared on the same inputs"
                )
        except (UserError, WorkerError) as failure:
            name = f"{self.suite.name}[{self.variant_id}]"
            self.suite.other_revision.notice(
                f"{name} cannot be measured at {self.commit}: {failure}"
            )
            raise


@dataclass(repr=False)
class SuiteAtRevision:
    """A suite at the other revision: its content there, and its workers."""

    other_revision: OtherRevision
    configured: ConfiguredSuite
    """The suite of the working tree."""
    current_workers: SuiteWorkers
    """The workers of the working tree."""
    _resources: ExitStack = field(init=False, default_factory=ExitStack)

    @property
    def name(self) -> str:
        return self.configured.suite.name

    @property
    def commit(self) -> Commit:
        return self.other_revision.commit

    def pair(self, variant_id: str) -> RevisionPair | None:
        """Return the variant at both revisions; None if the other revision lacks it."""
        return None if self._lacks(variant_id) else RevisionPair(self, variant_id)

    def described(self, *, only_here: bool) -> AgainstEvidence:
        """Return the evidence about the revision for the record of a variant.

        Parameters
        ----------
        only_here : bool
            Whether only the working tree has the variant.
        """
        against = AgainstEvidence(self.commit.name, self.commit.sha, only_here)
        if isinstance(surveyed := self._surveyed, messages.Surveyed):
            variants, metrics = self._only_there(surveyed)
            against.variants_only_there, against.measures_only_there = variants, metrics
        return against

    def check_known(self) -> None:
        """Raise UserError or WorkerError if the suite's content at the revision is not known."""
        if not isinstance(self._surveyed, messages.Surveyed):
            raise self._surveyed

    def inputs_agree(self, variant_id: str) -> bool:
        """Return whether the workers of both revisions have the same inputs."""
        both = (workers.worker(variant_id) for workers in (self.current_workers, self.workers))
        return len({worker.inputs_digest() for worker in both}) == 1

    @cached_property
    def workers(self) -> SuiteWorkers:
        """The workers of the other revision."""
        wanted = [
            variant_id for variant_id in self.current_workers.wanted if not self._lacks(variant_id)
        ]
        workers = replace(
            self.current_workers,
            address=self._address,
            checkout=self.other_revision.checkout(),
            blueprint=self._blueprint,
            threads=self._threads,
            wanted=wanted,
            kept=None,
        )
        return self._resources.enter_context(closing(workers))

    def close(self) -> None:
        """End the workers of the other revision."""
        self._resources.close()

    def _lacks(self, variant_id: str) -> bool:
        surveyed = self._surveyed
        return isinstance(surveyed, messages.Surveyed) and variant_id not in _variant_ids(surveyed)

    @cached_property
    def _surveyed(self) -> messages.Surveyed | UserError | WorkerError:
        """The suite's content at the revision, empty if it has no suite, or the error."""
        commit = self.commit
        try:
            self._check_in_repository(self.configured.suite.folder)
            surveyed = self._survey() if self._has_file() else messages.Surveyed({}, {}, [], [])
            if not _variant_ids(surveyed):
                what = self.configured.address.named(self.name)
                self.other_revision.notice(f"{commit} has no {what} to compare with")
                return surveyed
        except (UserError, WorkerError) as failure:
            self.other_revision.notice(f"{self.name} cannot be measured at {commit}: {failure}")
            return failure
        for difference in self._differences(surveyed):
            self.other_revision.notice(f"{self.name}: {difference}")
        return surveyed

    def _has_file(self) -> bool:
        """Return whether the revision has the file that defines the suite."""
        file = self.configured.address.path
        if self.other_revision.path(file).is_file():
            return True
        self._check_not_ignored(file)
        return False

    def _check_in_repository(self, folder: Path) -> None:
        """Raise UserError if git has no other revision of a folder.

        A symbolic link out of the repository would lead to the same files, or to none, at the
        other revision.
        """
        top, real = self.commit.top.resolve(), folder.resolve()
        if not real.is_relative_to(top):
            where = "" if real == folder else f", in {real}"
            raise UserError(
                f"{folder} is outside the repository {top}{where}, so it has no other revision. "
                "Move it into the repository (install your own package with "
                "pip install --editable), or omit --infperf-against"
            )

    def _check_not_ignored(self, file: Path) -> None:
        """Raise UserError if git ignores a file, so that no revision can contain it."""
        if rule := git.ask(file.parent, "check-ignore", "--verbose", file.name).partition("\t")[0]:
            raise UserError(
                f"{file} is in no revision, because git ignores it ({rule}): remove the rule and "
                "commit the file, or omit --infperf-against"
            )

    def _only_there(self, surveyed: messages.Surveyed) -> tuple[list[str], list[str]]:
        """Return the variants and the metrics that only the other revision has."""
        variants = _variant_ids(surveyed) - {*self.configured.suite.variant_ids}
        metrics = {*surveyed.metrics} - {metric.name for metric in self.configured.metrics}
        return sorted(variants), sorted(metrics)

    def _differences(self, surveyed: messages.Surveyed) -> Iterator[str]:
        commit, wanted = self.commit, self.current_workers.wanted
        variants, metrics = self._only_there(surveyed)
        if variants:
            yield f"{commit} has {', '.join(variants)}, and the working tree does not"
        if new := [variant_id for variant_id in wanted if variant_id not in _variant_ids(surveyed)]:
            yield f"{commit} has no {', '.join(new)}, so there is nothing to compare with"
        if metrics:
            yield f"{commit} scores {', '.join(metrics)}, and the working tree does not"
        for model in surveyed.borrowed_models:
            yield f"{commit} has no files of {model}: both sides use those of the working tree"

    def _survey(self) -> messages.Surveyed:
        worker = WorkerProcess(
            f"the suite {self.name} at {self.commit}",
            self.other_revision.checkout(),
            self.current_workers.timeout_s,
        )
        request = messages.Survey(
            suite=asdict(self._address),
            more_backends=[naming.describe(backend) for backend in self.configured.more_variants],
            models_beside=str(self.configured.suite.folder),
        )
        with closing(worker):
            return worker.ask(request, messages.Surveyed)

    @property
    def _address(self) -> SuiteAddress:
        address = self.configured.address
        return replace(address, root=str(self.other_revision.path(Path(address.root))))

    def _blueprint(self, variant_id: str) -> Blueprint:
        surveyed = self._surveyed
        if not isinstance(surveyed, messages.Surveyed):
            raise surveyed
        if reason := surveyed.unable.get(variant_id):
            raise UserError(reason)
        return Blueprint.from_document(surveyed.blueprints[variant_id])

    def _threads(self, blueprint: Blueprint) -> Threads:
        """Return the number of threads at the other revision.

        If both sides search for the best number, both use the result of the working tree.
        """
        requested = self.other_revision.settings.threads or blueprint.threads
        current = self.current_workers
        if requested == "best" == current.threads(current.blueprint(blueprint.variant_id)):
            return current.worker(blueprint.variant_id).loaded.threads
        return requested


def _variant_ids(surveyed: messages.Surveyed) -> set[str]:
    return {*surveyed.blueprints, *surveyed.unable}
